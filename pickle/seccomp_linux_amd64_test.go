package pickle_test

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// forbidSystemCalls makes the kernel kill this process when it opens, makes or removes a file, starts
// a program, or makes a socket. See seccomp(2).
func forbidSystemCalls() error {
	const (
		sysSeccomp       = 317
		setModeFilter    = 1
		flagAllThreads   = 1
		setNoNewPrivs    = 38
		returnKill       = 0x80000000
		returnAllow      = 0x7fff0000
		loadWord         = 0x20 // BPF_LD | BPF_W | BPF_ABS
		jumpEqual        = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
		returnValue      = 0x06 // BPF_RET | BPF_K
		sysExecveat      = 322
		sysOpenat2       = 437
		offsetSysCallNum = 0
	)
	forbidden := []uint32{
		syscall.SYS_EXECVE, sysExecveat, syscall.SYS_FORK, syscall.SYS_VFORK, syscall.SYS_PTRACE,
		syscall.SYS_OPEN, syscall.SYS_OPENAT, sysOpenat2, syscall.SYS_CREAT,
		syscall.SYS_UNLINK, syscall.SYS_UNLINKAT, syscall.SYS_RENAME, syscall.SYS_RENAMEAT,
		syscall.SYS_MKDIR, syscall.SYS_MKDIRAT,
		syscall.SYS_SOCKET, syscall.SYS_CONNECT, syscall.SYS_BIND, syscall.SYS_KILL,
	}
	program := []syscall.SockFilter{{Code: loadWord, K: offsetSysCallNum}}
	for i, number := range forbidden {
		toKill := uint8(len(forbidden) - i)
		program = append(program, syscall.SockFilter{Code: jumpEqual, Jt: toKill, K: number})
	}
	program = append(program,
		syscall.SockFilter{Code: returnValue, K: returnAllow},
		syscall.SockFilter{Code: returnValue, K: returnKill},
	)
	filter := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	_, _, errno := syscall.RawSyscall(sysSeccomp, setModeFilter, flagAllThreads, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}
