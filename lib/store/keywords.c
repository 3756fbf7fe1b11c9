/*
 * Keywords of a mailbox: letters for names, made when missing, and told to all sessions by the head.
 */
#include "lib/store/deeds.h"
#include "lib/store/keywordfile.h"
#include "lib/store/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static size_t
letters_given(struct yb_mailbox *m)
{
    struct yb_index_head head;

    return yb_mailbox_peek(m, &head) ? head.keywords : 0;
}

int
yb_mailbox_keywords(struct yb_mailbox *m, struct yb_arena *arena, struct yb_str names[26],
                    size_t *n, struct yb_err *err)
{
    struct yb_keyword_names k;

    if (yb_keywordfile_read(m->dir_fd, &k, letters_given(m), err) < 0)
        return -1;
    for (size_t i = 0; i < k.n; i++)
        names[i] = yb_arena_dup(arena, yb_str_from(k.names[i]));
    *n = k.n;
    return 0;
}

/* Tells all sessions by the head that there are more letters. */
static int
publish(struct yb_mailbox *m, size_t count, struct yb_err *err)
{
    int rc = 0;

    if (yb_account_lock(m->account, err) < 0)
        return -1;
    if (yb_mailbox_enter(m, err) < 0) {
        rc = -1;
    } else if (m->head.keywords < count) {
        m->head.keywords = (uint32_t)count;
        rc = yb_mailbox_write_head(m, err);
    }
    yb_account_unlock(m->account);
    return rc;
}

int
yb_mailbox_keyword(struct yb_mailbox *m, struct yb_str name, bool create, uint32_t *bit,
                   struct yb_err *err)
{
    struct yb_keyword_names k;
    size_t letter, count = 0, given = letters_given(m);
    int fd, rc;

    *bit = 0;
    if (!yb_keywordfile_fits(name))
        return yb_err_as(err, YB_ERR_CANNOT, YB_PERM, "5.2.0", "Not a keyword");
    if (yb_keywordfile_read(m->dir_fd, &k, given, err) < 0)
        return -1;
    letter = yb_keywordfile_find(&k, name);
    if (letter < k.n || !create) {
        *bit = letter < k.n ? 1u << letter : 0;
        return 0;
    }
    fd = yb_sys_open(m->dir_fd, YB_KEYWORDS_FILE, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) /* the folder was removed */
        return yb_err_as(err, YB_ERR_NOT_FOUND, YB_PERM, "5.2.0", "The mailbox does not exist");
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        rc = yb_err_sys(err, YB_TEMP, "4.3.0", "open " YB_KEYWORDS_FILE);
        yb_sys_close(&fd);
        return rc;
    }
    rc = yb_keywordfile_letter(m->dir_fd, fd, name, given, &letter, &count, err);
    close(fd);
    if (rc == 0)
        rc = publish(m, count, err);
    if (rc == 0)
        *bit = 1u << letter;
    return rc;
}

int
yb_keywords_mask(struct yb_mailbox *m, const struct yb_str *names, size_t n, uint32_t *mask,
                 struct yb_err *err)
{
    *mask = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bit;

        if (yb_mailbox_keyword(m, names[i], true, &bit, err) < 0)
            return -1;
        *mask |= bit;
    }
    return 0;
}
