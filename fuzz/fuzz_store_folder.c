/* Mailbox names: a name gives one folder, and the folder gives a name of the same folder. */
#include "lib/store/foldername.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yb_str in = yb_str((const char *)data, size), name;
    struct yb_folder_dir dir, again;
    char buf[YB_FOLDER_NAME_MAX + 1];

    if (yb_folder_to_dir(in, &dir, NULL) == 0 && dir.s[0] != '\0') {
        yb_assert(dir.s[0] == '.' && strlen(dir.s) < sizeof(dir.s));
        yb_assert(strchr(dir.s, '/') == NULL && strcmp(dir.s, "..") != 0 && dir.s[1] != '\0');
        yb_assert(yb_folder_from_dir(yb_str_from(dir.s), buf, &name));
        yb_assert(yb_folder_to_dir(name, &again, NULL) == 0 && strcmp(again.s, dir.s) == 0);
    }
    if (yb_folder_from_dir(in, buf, &name)) {
        yb_assert(name.n <= YB_FOLDER_NAME_MAX && yb_str_utf8(name));
        yb_assert(yb_folder_to_dir(name, &again, NULL) == 0);
        yb_assert(yb_str_eq(yb_str_from(again.s), in));
    }
    return 0;
}
