package user

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"rhea/internal/accel/tcg"
	"rhea/internal/guest/x86"
	"rhea/internal/trace"
	"rhea/internal/user/linux"
)

// descriptor is a file that the runtime's poller does not know.
type descriptor int

func (d descriptor) Write(b []byte) (int, error) { return unix.Write(int(d), b) }

// highDescriptor moves a descriptor out of the guest's way.
func highDescriptor(fd int) (descriptor, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 900)
	return descriptor(n), err
}

// run starts the program.
func (c *config) run(abi *linux.ABI, args []string) error {
	fd, preserved := fromKernel()
	if env, some := linux.HideEnvironment(os.Environ()); some {
		// Our runtime has followed them already: it is to begin without them, if it can.
		unix.Exec("/proc/self/exe", os.Args, append(env, fmt.Sprintf("%s=%d,%t", linux.KernelVar, fd, preserved)))
	}
	var log io.Writer
	if c.strace || c.items != 0 {
		fd := 2
		if c.logFile != "" {
			var err error
			flags := unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND | unix.O_CLOEXEC
			if c.heir < 0 {
				flags |= unix.O_TRUNC
			}
			if fd, err = unix.Open(c.logFile, flags, 0o666); err != nil {
				return fmt.Errorf("-D %s: %w", c.logFile, err)
			}
		}
		d, err := highDescriptor(fd)
		if err != nil {
			return fmt.Errorf("-D %s: %w", c.logFile, err)
		}
		if fd != 2 {
			unix.Close(fd)
		}
		linux.KeepDescriptor(int(d))
		log = d
	}
	cfg := linux.Config{
		ABI: abi, Path: args[0], Args: append([]string{}, args...), Env: c.env, Sysroot: c.sysroot, CPU: c.cpu, Release: c.release,
		Stack: c.stack, Base: c.base, Reserve: c.reserve, Again: c.again, ExecFD: -1, Fork: c.fork, Heir: c.heir,
	}
	cfg.ExecFD = fd
	if preserved && len(args) > 1 { // binfmt_misc's flag P: the path, argv[0], the arguments
		cfg.Args = append([]string{}, args[1:]...)
	}
	if c.argv0 != "" {
		cfg.Args[0] = c.argv0
	}
	if c.strace {
		cfg.Strace = log
	}
	if c.items != 0 {
		cfg.Log = trace.New(log, c.items)
		cfg.Disassemble = true
	}
	if c.gdb != "" {
		cfg.Debug = func(d *linux.Debug) error {
			conn, err := listenGDB(c.gdb)
			if err != nil {
				return fmt.Errorf("-g %s: %w", c.gdb, err)
			}
			return debugged(conn, d)
		}
	}
	if c.codeCache != "off" {
		cfg.CodeCache, cfg.CodeCacheAll = c.codeCache, c.codeCacheAll
	}
	if c.interpreter {
		cfg.Engine = tcg.Interpreter
	}
	// Memory of ours is little, and a collection stops all threads.
	debug.SetGCPercent(400)
	debug.SetMaxThreads(40000)
	err := linux.Start(cfg)
	var e *linux.ExecError
	if errors.As(err, &e) {
		return exitError{err, e.Status}
	}
	return err
}

// abiOf is what a program is of, as its file says. Of one that is none, or of
// another processor, any ABI tells what is wrong with it.
func abiOf(sysroot, path string) *linux.ABI {
	if a := linux.ABIOfFile(sysroot, path); a != nil {
		return a
	}
	return linux.ABIs()[0]
}

type exitError struct {
	error
	status int
}

func (e exitError) ExitStatus() int { return e.status }

// fromKernel is what binfmt_misc has told by the auxiliary vector: the
// program's descriptor (flag O; -1 = none), and whether argv[0] is an argument
// of its own (flag P).
func fromKernel() (fd int, preserved bool) {
	const atExecFD, atFlags, preserve = 2, 8, 1
	if n, _ := fmt.Sscanf(os.Getenv(linux.KernelVar), "%d,%t", &fd, &preserved); n == 2 {
		return fd, preserved
	}
	fd = -1
	f, err := unix.Open("/proc/self/auxv", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, false
	}
	defer unix.Close(f)
	b := make([]byte, 1024)
	n, _ := unix.Read(f, b)
	for ; n >= 16; b, n = b[16:], n-16 {
		k, v := word(b), word(b[8:])
		switch k {
		case atExecFD:
			fd = int(v)
		case atFlags:
			preserved = v&preserve != 0
		}
	}
	return fd, preserved
}

func word(b []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

func cpuHelp(w io.Writer) error {
	for _, m := range append(x86.Models(), x86.Models64()...) {
		fmt.Fprintf(w, "%-10s %s\n", m.Name, m.Title)
	}
	return nil
}
