"""Which system calls a jailed process may make, as a program for the kernel's seccomp filter.

A list of what is allowed: all else is refused, above all sockets, new processes, programs to run, signals to others and
changes of anybody's rights. Some calls are allowed with certain arguments only. The numbers are those of the kernel's
own tables (asm/unistd_64.h, asm-generic/unistd.h). The classic BPF that comes out is laid down in linux/filter.h and
linux/seccomp.h: on each call the kernel runs it over (number, machine, instruction pointer, six arguments).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

MACHINES: Mapping[str, tuple[int, int]] = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""What `uname -m` says -> the audit number of that machine, and the column of the tables below."""

FREE = """
    read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 preadv:295:69 pwritev:296:70
    preadv2:327:286 pwritev2:328:287 close:3:57 close_range:436:436 fstat:5:80 stat:4: lstat:6: newfstatat:262:79
    statx:332:291 lseek:8:62 poll:7: ppoll:271:73 select:23: pselect6:270:72 mmap:9:222 mprotect:10:226 munmap:11:215
    mremap:25:216 madvise:28:233 brk:12:214 msync:26:227 mincore:27:232 rt_sigaction:13:134 rt_sigprocmask:14:135
    rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132
    restart_syscall:219:128 access:21: faccessat:269:48 faccessat2:439:439 pipe:22: pipe2:293:59 dup:32:23 dup2:33:
    dup3:292:24 pause:34: nanosleep:35:101 clock_nanosleep:230:115 clock_gettime:228:113 clock_getres:229:114
    gettimeofday:96:169 time:201: times:100:153 getitimer:36:102 setitimer:38:103 alarm:37: timerfd_create:283:85
    timerfd_settime:286:86 timerfd_gettime:287:87 getpid:39:172 getppid:110:173 gettid:186:178 getuid:102:174
    geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148 getresgid:120:150 getgroups:115:158
    getpgid:121:155 getpgrp:111: getsid:124:156 uname:63:160 sysinfo:99:179 getcwd:79:17 chdir:80:49 fchdir:81:50
    flock:73:32 fsync:74:82 fdatasync:75:83 ftruncate:77:46 getdents:78: getdents64:217:61 rename:82: renameat:264:38
    renameat2:316:276 mkdir:83: mkdirat:258:34 rmdir:84: unlink:87: unlinkat:263:35 creat:85: readlink:89:
    readlinkat:267:78 umask:95:166 getrlimit:97:163 getrusage:98:165 getpriority:140:141 sched_yield:24:124
    sched_getaffinity:204:123 sched_getparam:143:121 sched_getscheduler:145:120 sched_get_priority_max:146:125
    sched_get_priority_min:147:126 futex:202:98 set_robust_list:273:99 get_robust_list:274:100 set_tid_address:218:96
    arch_prctl:158: rseq:334:293 getrandom:318:278 membarrier:324:283 exit:60:93 exit_group:231:94 eventfd:284:
    eventfd2:290:19 epoll_create:213: epoll_create1:291:20 epoll_ctl:233:21 epoll_wait:232: epoll_pwait:281:22
    epoll_pwait2:441:441 recvfrom:45:207 shutdown:48:210 fadvise64:221:223 fallocate:285:47 copy_file_range:326:285
    sendfile:40:71 statfs:137:43 fstatfs:138:44 getcpu:309:168
"""
"""name:number on x86_64:number on aarch64 (empty: that machine has no such call)."""

CONDITIONAL: Mapping[str, tuple[int | None, int | None]] = {
    "open": (2, None),
    "openat": (257, 56),
    "ioctl": (16, 29),
    "fcntl": (72, 25),
    "prlimit64": (302, 261),
    "clone": (56, 220),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "prctl": (157, 167),
    "socketpair": (53, 199),
    "sendto": (44, 206),
}

Test = tuple[int, int, int, frozenset[int]]
"""(argument, half of it: 0 low, 1 high, mask, what may be left under the mask)"""

_OPENING = frozenset({0, 1, 2, 0x201, 0x202})
_NEW_THREAD, _NEW_NAMESPACES = 0x10000, 0x7E020000
_NEW_CALLS = 334
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000


def program(machine: str, own_pid: int) -> bytes:
    """The filter for one process, as an array of `struct sock_filter`. Raises KeyError for an unknown machine."""
    audit, column = MACHINES[machine]
    code = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    code += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for number in free_numbers(column):
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for name, tests in conditions(own_pid).items():
        conditional = CONDITIONAL[name][column]
        if conditional is not None:
            code += list(_conditional(conditional, tests))
    code += [(_AT_LEAST, 0, 1, _NEW_CALLS), (_RETURN, 0, 0, _ERRNO | _ENOSYS), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    return b"".join(struct.pack("<HBBI", *line) for line in code)


def free_numbers(column: int) -> Iterator[int]:
    """The numbers of the calls that are allowed whatever their arguments; column 0 is x86_64, 1 is aarch64."""
    for entry in FREE.split():
        number = entry.split(":")[1 + column]
        if number:
            yield int(number)


def conditions(own_pid: int) -> dict[str, tuple[Test, ...]]:
    """What must hold of the arguments of each conditional call.

    Opening to read and truncate at once is refused, for older Landlocks don't see it; a new thread is allowed and no
    new process; signals go to oneself; limits are read and not set; local pairs of sockets (asyncio wakes itself by
    one) carry bytes and take no address.
    """
    no_pointer = frozenset({0})
    return {
        "open": ((1, 0, 0x203, _OPENING),),
        "openat": ((2, 0, 0x203, _OPENING),),
        "ioctl": ((1, 0, 0xFFFFFFFF, frozenset({0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451})),),
        "fcntl": ((1, 0, 0xFFFFFFFF, frozenset({*range(8), 36, 37, 38, 1030, 1032, 1034})),),
        "prlimit64": ((2, 0, 0xFFFFFFFF, no_pointer), (2, 1, 0xFFFFFFFF, no_pointer)),
        "clone": ((0, 0, _NEW_THREAD | _NEW_NAMESPACES, frozenset({_NEW_THREAD})),),
        "kill": ((0, 0, 0xFFFFFFFF, frozenset({own_pid})),),
        "tgkill": ((0, 0, 0xFFFFFFFF, frozenset({own_pid})),),
        "prctl": ((0, 0, 0xFFFFFFFF, frozenset({15, 16, 0x53564D41})),),
        "socketpair": ((0, 0, 0xFFFFFFFF, frozenset({1})), (1, 0, 0xF, frozenset({1}))),
        "sendto": ((4, 0, 0xFFFFFFFF, no_pointer), (4, 1, 0xFFFFFFFF, no_pointer)),
    }


def _conditional(number: int, tests: tuple[Test, ...]) -> Iterator[tuple[int, int, int, int]]:
    """One call: allowed if every test finds one of its values, refused with EPERM otherwise."""
    body: list[tuple[int, int, int, int]] = []
    for argument, half, mask, values in tests:
        body += [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4 * half), (_AND, 0, 0, mask)]
        listed = sorted(values)
        body += [(_EQUAL, len(listed) - place, 0, value) for place, value in enumerate(listed)]
        body.append((_RETURN, 0, 0, _ERRNO | _EPERM))
    body.append((_RETURN, 0, 0, _ALLOW))
    yield (_EQUAL, 0, len(body), number)
    yield from body
