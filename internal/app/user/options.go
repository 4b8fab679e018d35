package user

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rhea/internal/prop"
	"rhea/internal/trace"
	"rhea/internal/user/linux"
)

// config is what the command line and the environment say.
type config struct {
	program, version string
	sysroot, cpu     string
	argv0, release   string
	stack, base      uint64
	reserve          uint64
	strace           bool
	gdb              string
	interpreter      bool
	fork             linux.ForkBy
	heir             int // the descriptor that the child of a fork begins with, -1 = none
	items            trace.Item
	logFile          string
	codeCache        string
	codeCacheAll     bool // it is the default: directories above it may be made
	env              []string
	// again is the command line for the programs that this one executes.
	again []string
	print func(io.Writer) error
}

// option is one of the command line.
type option struct {
	name, arg, env, help string
	// here: it is for this program only, not for those that it executes.
	here bool
	set  func(c *config, v string) error
}

// options are those of qemu-user, under its names.
func options() []option {
	text := func(p func(c *config) *string) func(*config, string) error {
		return func(c *config, v string) error { *p(c) = v; return nil }
	}
	number := func(p func(c *config) *uint64) func(*config, string) error {
		return func(c *config, v string) error {
			n, err := parseSize(v)
			*p(c) = n
			return err
		}
	}
	return []option{
		{"h", "", "", "show this text", true, func(c *config, _ string) error { c.print = help; return nil }},
		{"help", "", "", "", true, func(c *config, _ string) error { c.print = help; return nil }},
		{"g", "port", "QEMU_GDB", "wait for gdb at a TCP port of this host, or at a socket with this file name", true, func(c *config, v string) error {
			c.gdb = v
			c.unset("QEMU_GDB") // it is for this program only
			return debugOption(v)
		}},
		{"L", "path", "QEMU_LD_PREFIX", "look for the program's interpreter and files below this directory first", false, func(c *config, v string) error {
			st, err := os.Stat(v)
			if err == nil && !st.IsDir() {
				err = fmt.Errorf("%s is no directory", v)
			}
			c.sysroot = strings.TrimRight(v, "/")
			return err
		}},
		{"s", "size", "QEMU_STACK_SIZE", "size of the stack in bytes (K, M and G are understood)", false, number(func(c *config) *uint64 { return &c.stack })},
		{"cpu", "model", "QEMU_CPU", "the processor, 'help' lists them", false, text(func(c *config) *string { return &c.cpu })},
		{"E", "var=value", "QEMU_SET_ENV", "set an environment variable of the program (several with commas between)", true, func(c *config, v string) error {
			for _, s := range strings.Split(v, ",") {
				name, _, ok := strings.Cut(s, "=")
				if !ok {
					return fmt.Errorf("%q is not of the form name=value", s)
				}
				c.unset(name)
				c.env = append(c.env, s)
			}
			return nil
		}},
		{"U", "var", "QEMU_UNSET_ENV", "remove an environment variable (several with commas between)", true, func(c *config, v string) error {
			for _, s := range strings.Split(v, ",") {
				c.unset(s)
			}
			return nil
		}},
		{"0", "argv0", "QEMU_ARGV0", "the name that the program is called by", true, text(func(c *config) *string { return &c.argv0 })},
		{"r", "release", "QEMU_UNAME", "the kernel's release, as uname tells it", false, text(func(c *config) *string { return &c.release })},
		{"B", "address", "QEMU_GUEST_BASE", "the host's address of the program's address 0", false, number(func(c *config) *uint64 { return &c.base })},
		{"R", "size", "QEMU_RESERVED_VA", "how many bytes of addresses the program has", false, number(func(c *config) *uint64 { return &c.reserve })},
		{"d", "item,...", "QEMU_LOG", "log these items, 'help' lists them", false, func(c *config, v string) error {
			if v == "help" {
				c.print = logHelp
				return nil
			}
			items, _, err := trace.ParseItems(v)
			c.items = items
			c.strace = c.strace || slices.Contains(strings.Split(v, ","), "strace")
			return err
		}},
		{"D", "file", "QEMU_LOG_FILENAME", "where logs go, instead of standard error", false, text(func(c *config) *string { return &c.logFile })},
		{"strace", "", "QEMU_STRACE", "log system calls", false, func(c *config, _ string) error { c.strace = true; return nil }},
		{"interpreter", "", "", "interpret, do not translate to machine code", false, func(c *config, _ string) error { c.interpreter = true; return nil }},
		{"code-cache", "path", codeCacheVar, "keep translated code in this directory for the next time, 'off' not at all; else in a directory of the user's caches", false, func(c *config, v string) error {
			c.codeCache = v
			return nil
		}},
		{"p", "size", "QEMU_PAGESIZE", "", true, func(_ *config, v string) error {
			if v != "4096" {
				return fmt.Errorf("pages have 4096 bytes")
			}
			return nil
		}},
		{"version", "", "", "show the version", true, func(c *config, _ string) error {
			c.print = func(w io.Writer) error { _, err := fmt.Fprintln(w, c.version); return err }
			return nil
		}},
		{"binfmt", "", "", "print what makes the kernel run such programs by this one (binfmt_misc)", true, func(c *config, _ string) error { c.print = binfmt; return nil }},
		{"syscalls", "", "", "print what becomes of each system call", true, func(c *config, _ string) error { c.print = syscalls; return nil }},
	}
}

// named reports whether the argument is a file's name.
func (o *option) named() bool { return o.arg == "path" || o.arg == "file" }

func absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil && name != "" {
		return abs
	}
	return name
}

// codeCacheVar is where translated code is kept.
const codeCacheVar = "RHEA_CODE_CACHE"

// cacheDir is where translated code is kept if nobody says: "" = nowhere. In the root
// of a container, to which this program does not belong, nothing is left behind.
func cacheDir(env []string) string {
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return ""
	}
	name, _ := os.Readlink("/proc/self/exe")
	if here, err := os.Stat(name); err != nil || !os.SameFile(here, self) {
		return ""
	}
	if d, _ := lookup(env, "XDG_CACHE_HOME"); filepath.IsAbs(d) {
		return d + "/rhea/code"
	}
	d, _ := lookup(env, "HOME")
	if st, err := os.Stat(d); err != nil || !st.IsDir() || !filepath.IsAbs(d) {
		return ""
	}
	return d + "/.cache/rhea/code"
}

// forkVar says how programs fork.
const forkVar = "RHEA_FORK"

// forkOptions reads what the environment says of fork: how it is done, and whether this
// is the child of one.
func (c *config) forkOptions(env []string) error {
	c.heir = -1
	if v, ok := lookup(env, linux.HeirVar); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return fmt.Errorf("%s=%s: it is for children of a fork only; unset it", linux.HeirVar, v)
		}
		c.heir = n
	}
	switch v, _ := lookup(env, forkVar); v {
	case "", "threads":
	case "exec":
		c.fork = linux.ForkExec
	default:
		return fmt.Errorf("%s=%s: it is 'threads' or 'exec'", forkVar, v)
	}
	return nil
}

// unset removes a variable.
func (c *config) unset(name string) {
	c.env = slices.DeleteFunc(c.env, func(s string) bool { return strings.HasPrefix(s, name+"=") })
}

// parse reads options up to the program's name; what the environment says they
// override.
func (c *config) parse(args, env []string) (rest []string, err error) {
	c.env = linux.GuestEnvironment(env)
	if err := c.forkOptions(env); err != nil {
		return nil, err
	}
	list := options()
	for i := range list {
		o := &list[i]
		v, ok := lookup(env, o.env)
		if !ok || o.env == "" {
			continue
		}
		if o.named() && v != "off" {
			v = absolute(v)
			os.Setenv(o.env, v) // for children of forks
		}
		if err := o.set(c, v); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", o.env, v, err)
		}
	}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		arg := args[0]
		name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
		args = args[1:]
		if arg == "--" {
			break
		}
		i := slices.IndexFunc(list, func(o option) bool { return o.name == name })
		if i < 0 {
			var known []string
			for _, o := range list {
				known = append(known, "-"+o.name)
			}
			return nil, fmt.Errorf("there is no option %s%s; -help lists them", arg, prop.DidYouMean("-"+name, known))
		}
		o := &list[i]
		var v string
		if o.arg != "" {
			if len(args) == 0 {
				return nil, fmt.Errorf("-%s needs an argument: -%s %s", o.name, o.name, o.arg)
			}
			v, args = args[0], args[1:]
		}
		if o.name == "cpu" && v == "help" {
			c.print = cpuHelp
			return nil, nil
		}
		if o.named() && v != "off" { // programs that it executes may be elsewhere
			v = absolute(v)
		}
		if err := o.set(c, v); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace("-"+o.name+" "+v), err)
		}
		if c.print != nil {
			return nil, nil
		}
		if !o.here {
			c.again = append(c.again, arg)
			if o.arg != "" {
				c.again = append(c.again, v)
			}
		}
	}
	if c.codeCache == "" {
		c.codeCache, c.codeCacheAll = cacheDir(env), true
	}
	return args, nil
}

func lookup(env []string, name string) (string, bool) {
	for _, s := range env {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// parseSize reads a number of bytes: decimal, octal or hexadecimal, with K, M or
// G behind it.
func parseSize(s string) (uint64, error) {
	shift := 0
	digits := s
	if n := len(s); n > 0 {
		if i := strings.IndexByte("kmgKMG", s[n-1]); i >= 0 {
			digits, shift = s[:n-1], 10*(i%3+1)
		}
	}
	v, err := strconv.ParseUint(digits, 0, 64)
	if err != nil || v<<shift>>shift != v {
		return 0, fmt.Errorf("%q is no number of bytes", s)
	}
	return v << shift, nil
}

func help(w io.Writer) error {
	fmt.Fprintln(w, "usage: rhea user [options] program [arguments]\nRuns a Linux program of another processor ("+strings.Join(names(), ", ")+").")
	for _, o := range options() {
		if o.help == "" {
			continue
		}
		text := strings.TrimSpace("-" + o.name + " " + o.arg)
		env := ""
		if o.env != "" {
			env = " [" + o.env + "]"
		}
		fmt.Fprintf(w, "  %-16s %s%s\n", text, o.help, env)
	}
	fmt.Fprintf(w, "In the environment:\n  %-16s how programs fork: threads (where that works), or exec: the child starts anew and takes over\n", forkVar)
	return nil
}

func logHelp(w io.Writer) error {
	for _, i := range trace.Items() {
		fmt.Fprintf(w, "%-15s %s\n", i.Name, i.Help)
	}
	_, err := fmt.Fprintf(w, "%-15s %s\n", "strace", "log system calls")
	return err
}

func syscalls(w io.Writer) error {
	for _, a := range linux.ABIs() {
		if err := linux.Document(w, a); err != nil {
			return err
		}
	}
	return nil
}

// binfmt prints the lines for /proc/sys/fs/binfmt_misc/register
// (Documentation/admin-guide/binfmt-misc.rst).
func binfmt(w io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	for _, a := range linux.ABIs() {
		magic, mask := a.Magic()
		fmt.Fprintf(w, ":qemu-%s:M::%s:%s:%s:F\n", a.Name, escape(magic), escape(mask), exe)
	}
	return nil
}

func escape(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}
