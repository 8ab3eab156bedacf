"""The filter's program, run by a plain reading of classic BPF, on both machines: what it answers to which call."""

from __future__ import annotations

import struct

import pytest

from benchbook.tools.jail import seccomp

PID = 4321
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
X86, ARM = 0xC000003E, 0xC00000B7


def answer(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel would answer: linux/seccomp.h's `struct seccomp_data` under the program."""
    audit = audit or seccomp.MACHINES[machine][0]
    given = [argument & (1 << 64) - 1 for argument in (*arguments, *[0] * 6)[:6]]
    data = struct.pack("<IIQ6Q", number, audit, 0, *given)
    lines = list(struct.iter_unpack("<HBBI", seccomp.program(machine, PID)))
    held, place = 0, 0
    while True:
        code, if_true, if_false, value = lines[place]
        place += 1
        if code == 0x06:
            return value
        if code == 0x20:
            held = struct.unpack_from("<I", data, value)[0]
        elif code == 0x54:
            held &= value
        else:
            assert code in (0x15, 0x35)
            place += if_true if (held == value if code == 0x15 else held >= value) else if_false


CALLS = [
    # name, number and arguments on x86_64, on aarch64, answer
    ("read", (0,), (63,), ALLOW),
    ("exit_group", (231,), (94,), ALLOW),
    ("socket", (41, 2, 1), (198, 2, 1), EPERM),
    ("connect", (42, 3), (203, 3), EPERM),
    ("sendto, no address", (44, 3, 1, 1, 0, 0), (206, 3, 1, 1, 0, 0), ALLOW),
    ("sendto, an address", (44, 3, 1, 1, 0, 1 << 40), (206, 3, 1, 1, 0, 1 << 40), EPERM),
    ("sendmsg", (46, 3), (211, 3), EPERM),
    ("socketpair, streams", (53, 1, 0x80001), (199, 1, 0x80001), ALLOW),
    ("socketpair, datagrams", (53, 1, 2), (199, 1, 2), EPERM),
    ("socketpair, not local", (53, 2, 1), (199, 2, 1), EPERM),
    ("clone, a thread", (56, 0x3D0F00), (220, 0x3D0F00), ALLOW),
    ("clone, a process", (56, 17), (220, 17), EPERM),
    ("clone, a thread in a new network", (56, 0x10000 | 0x40000000), (220, 0x10000 | 0x40000000), EPERM),
    ("clone3", (435,), (435,), ENOSYS),
    ("fork", (57,), None, EPERM),
    ("vfork", (58,), None, EPERM),
    ("execve", (59,), (221,), EPERM),
    ("execveat", (322,), (281,), EPERM),
    ("kill, itself", (62, PID), (129, PID), ALLOW),
    ("kill, another", (62, 1), (129, 1), EPERM),
    ("kill, everybody", (62, -1), (129, -1), EPERM),
    ("tkill", (200, PID), (130, PID), EPERM),
    ("tgkill, itself", (234, PID), (131, PID), ALLOW),
    ("tgkill, another", (234, PID + 1), (131, PID + 1), EPERM),
    ("prctl, its name", (157, 15), (167, 15), ALLOW),
    ("prctl, the signal at its parent's death", (157, 1), (167, 1), EPERM),
    ("openat, to read", (257, -100, 0, 0o2000000), (56, -100, 0, 0o2000000), ALLOW),
    ("openat, to write anew", (257, -100, 0, 0o1101), (56, -100, 0, 0o1101), ALLOW),
    ("openat, to read and empty", (257, -100, 0, 0o1000), (56, -100, 0, 0o1000), EPERM),
    ("open, to read and empty", (2, 0, 0o1000), None, EPERM),
    ("prlimit64, to read", (302, 0, 9, 0, 1 << 40), (261, 0, 9, 0, 1 << 40), ALLOW),
    ("prlimit64, to set", (302, 0, 9, 1 << 40), (261, 0, 9, 1 << 40), EPERM),
    ("setrlimit", (160,), (164,), EPERM),
    ("ioctl, is it a terminal", (16, 1, 0x5401), (29, 1, 0x5401), ALLOW),
    ("ioctl, typing for the user", (16, 1, 0x5412), (29, 1, 0x5412), EPERM),
    ("fcntl, flags", (72, 1, 3), (25, 1, 3), ALLOW),
    ("fcntl, whom to signal", (72, 1, 8), (25, 1, 8), EPERM),
    ("ptrace", (101,), (117,), EPERM),
    ("memfd_create", (319,), (279,), EPERM),
    ("unshare", (272,), (97,), EPERM),
    ("bpf", (321,), (280,), EPERM),
    ("symlinkat", (266,), (36,), EPERM),
    ("linkat", (265,), (37,), EPERM),
    ("mknodat", (259,), (33,), EPERM),
    ("fchmodat", (268,), (53,), EPERM),
    ("fchownat", (260,), (54,), EPERM),
    ("utimensat", (280,), (88,), EPERM),
    ("io_uring_setup", (425,), (425,), ENOSYS),
    ("pidfd_send_signal", (424,), (424,), ENOSYS),
    ("a call of the year 2040", (900,), (900,), ENOSYS),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_answer(call: tuple[str, tuple[int, ...], tuple[int, ...] | None, int]) -> None:
    _, on_x86, on_arm, expected = call
    assert answer("x86_64", *on_x86) == expected
    if on_arm is not None:
        assert answer("aarch64", *on_arm) == expected


def test_calls_of_another_machine_end_the_process() -> None:
    """A 64-bit process may make 32-bit calls, whose numbers mean other things."""
    assert answer("x86_64", 0, audit=0x40000003) == KILL
    assert answer("x86_64", 0x40000000) == KILL
    assert answer("aarch64", 63, audit=X86) == KILL
    assert (seccomp.MACHINES["x86_64"][0], seccomp.MACHINES["aarch64"][0]) == (X86, ARM)


def test_numbers_are_listed_once() -> None:
    for column in (0, 1):
        numbers = [*seccomp.free_numbers(column), *(n[column] for n in seccomp.CONDITIONAL.values() if n[column])]
        assert len(numbers) == len(set(numbers))
    assert set(seccomp.conditions(PID)) == set(seccomp.CONDITIONAL)
