#include "lib/daemon/confine.h"

#include "lib/base/log.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* Numbers from here on are of the x32 ABI: the same calls once more. */
#define X32 0x40000000u
#define NAMESPACES                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)

#ifdef ARCH
/* clang-format off */
static const uint32_t denied[] = {
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_process_madvise, SYS_pidfd_getfd, SYS_kcmp, SYS_mount, SYS_umount2, SYS_pivot_root,
    SYS_chroot, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
    SYS_mount_setattr, SYS_setns, SYS_unshare, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_keyctl, SYS_add_key,
    SYS_request_key, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
    SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl,
    SYS_open_by_handle_at, SYS_fanotify_init, SYS_syslog, SYS_personality, SYS_settimeofday,
    SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname,
    SYS_vhangup,
#if defined(__x86_64__)
    SYS_modify_ldt, SYS_ioperm, SYS_iopl, SYS_uselib,
#endif
};
/* clang-format on */

struct program {
    struct sock_filter v[8 * YB_COUNT(denied)];
    unsigned short n;
};

static void
add(struct program *p, struct sock_filter f)
{
    yb_assert(p->n < YB_COUNT(p->v));
    p->v[p->n++] = f;
}

static void
add_load(struct program *p, size_t offset)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* Ends with `ret` when the loaded word and `k` compare so by `jump`; negated: when they do not. */
static void
add_end_if(struct program *p, uint16_t jump, uint32_t k, bool negated, uint32_t ret)
{
    uint8_t yes = negated ? 1 : 0, no = negated ? 0 : 1;

    add(p, (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | jump | BPF_K), k, yes, no));
    add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ret));
}

/* A new namespace is as good as unshare(). The flags of clone3() lie in memory, where no filter can
 * look: it is not there, and the C library takes clone(). */
static void
write_program(struct program *p)
{
    const uint32_t no = SECCOMP_RET_ERRNO | EPERM, none = SECCOMP_RET_ERRNO | ENOSYS;
    const uint32_t yes = SECCOMP_RET_ALLOW;

    add_load(p, offsetof(struct seccomp_data, arch));
    add_end_if(p, BPF_JEQ, ARCH, true, no);
    add_load(p, offsetof(struct seccomp_data, nr));
    add_end_if(p, BPF_JGE, X32, false, no);
    add_end_if(p, BPF_JEQ, SYS_clone3, false, none);
    for (size_t i = 0; i < YB_COUNT(denied); i++)
        add_end_if(p, BPF_JEQ, denied[i], false, no);
    add_end_if(p, BPF_JEQ, SYS_clone, true, yes);
    add_load(p, offsetof(struct seccomp_data, args)); /* little-endian: the lower half */
    add_end_if(p, BPF_JSET, NAMESPACES, false, no);
    add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, yes));
}
#endif

int
yb_confine(struct yb_err *err)
{
#ifdef ARCH
    struct program p = { .n = 0 };
    struct sock_fprog f = { .filter = p.v };

    if (YB_SANITIZED)
        return 0;
    write_program(&p);
    f.len = p.n;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return yb_err_sys(err, YB_TEMP, "4.3.0", "filter system calls");
#else
    (void)err;
    errno = ENOTSUP;
#endif
    yb_log(YB_LOG_WARN, NULL, "daemon.not_confined", "system calls are not filtered: %s",
           strerror(errno));
    return 0;
}
