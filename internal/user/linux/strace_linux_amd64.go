package linux

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// trace writes to where -strace goes.
func (t *Thread) trace(s string) { io.WriteString(t.p.cfg.Strace, s) }

// traceCall puts a system call and its arguments into words, decoded as its
// table says. They are written with the result, in one piece: threads do not mix.
func (t *Thread) traceCall(r *row, nr int, a *[6]uint64) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s(", t.tid, t.p.abi.calls.name(nr))
	if r == nil {
		fmt.Fprintf(&b, "%#x,%#x,%#x,%#x,%#x,%#x", a[0], a[1], a[2], a[3], a[4], a[5])
	} else {
		for i, arg := range r.args {
			if i > 0 {
				b.WriteByte(',')
			}
			if i < len(a) {
				b.WriteString(t.argument(arg, a, i))
			}
		}
	}
	b.WriteByte(')')
	t.line = b.String()
	if r != nil && (r.name == "exit_group" || r.name == "exit" || strings.HasPrefix(r.name, "execve")) {
		t.trace(t.line + "\n") // there may be no result
	}
}

func (t *Thread) argument(arg string, a *[6]uint64, i int) string {
	v := a[i]
	kind, size, _ := strings.Cut(arg, ":")
	switch kind {
	case "fd":
		if int32(v) == unix.AT_FDCWD {
			return "AT_FDCWD"
		}
		return strconv.Itoa(int(int32(v)))
	case "int", "pid":
		return strconv.Itoa(int(int32(v)))
	case "long":
		return strconv.FormatInt(t.long(v), 10)
	case "uint", "size", "lo", "hi":
		return strconv.FormatUint(v, 10)
	case "mode":
		return fmt.Sprintf("%#o", v)
	case "sig":
		return signalName(int(int32(v)))
	case "oflags":
		return flagNames(v, openFlags)
	case "mprot":
		if v == 0 {
			return "PROT_NONE"
		}
		return flagNames(v, protFlags)
	case "mflags":
		return flagNames(v, mapFlags)
	case "path", "str":
		s, errno := t.p.sp.text(v)
		if errno != 0 {
			break
		}
		return strconv.Quote(s)
	case "argv":
		list, errno := t.stringList(v)
		if errno != 0 || len(list) > 32 {
			break
		}
		for i := range list {
			list[i] = strconv.Quote(list[i])
		}
		return "{" + strings.Join(list, ",") + "}"
	case "in":
		n := a[2]
		if size != "" {
			break
		}
		if b := t.p.sp.readable(v, min(n, 32)); b != nil {
			s := strconv.Quote(string(b))
			if n > 32 {
				s += "..."
			}
			return s
		}
	}
	if v == 0 {
		return "NULL"
	}
	return fmt.Sprintf("%#x", v)
}

// flagName is a bit, or several, and its name.
type flagName struct {
	bits uint64
	name string
}

var openFlags = []flagName{
	{3, ""}, {unix.O_CREAT, "O_CREAT"}, {unix.O_EXCL, "O_EXCL"}, {unix.O_NOCTTY, "O_NOCTTY"}, {unix.O_TRUNC, "O_TRUNC"}, {unix.O_APPEND, "O_APPEND"},
	{unix.O_NONBLOCK, "O_NONBLOCK"}, {0o100000, "O_LARGEFILE"}, {unix.O_DIRECTORY, "O_DIRECTORY"}, {unix.O_NOFOLLOW, "O_NOFOLLOW"},
	{unix.O_CLOEXEC, "O_CLOEXEC"}, {unix.O_PATH, "O_PATH"},
}

var protFlags = []flagName{{1, "PROT_READ"}, {2, "PROT_WRITE"}, {4, "PROT_EXEC"}}

var mapFlags = []flagName{
	{1, "MAP_SHARED"}, {2, "MAP_PRIVATE"}, {unix.MAP_FIXED, "MAP_FIXED"}, {unix.MAP_ANON, "MAP_ANONYMOUS"}, {unix.MAP_DENYWRITE, "MAP_DENYWRITE"},
	{unix.MAP_NORESERVE, "MAP_NORESERVE"}, {unix.MAP_STACK, "MAP_STACK"}, {unix.MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
}

func flagNames(v uint64, names []flagName) string {
	var list []string
	for _, f := range names {
		switch {
		case f.name == "": // the access mode
			list = append(list, [...]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[v&3])
			v &^= 3
		case v&f.bits == f.bits:
			list = append(list, f.name)
			v &^= f.bits
		}
	}
	if v != 0 {
		list = append(list, fmt.Sprintf("%#x", v))
	}
	return strings.Join(list, "|")
}

// traceResult writes a call and what has become of it.
func (t *Thread) traceResult(r *row, x uint64) {
	var text string
	switch {
	case t.ended:
		return
	case restarts(x):
		text = "? (restarts)"
	case failed(x):
		text = fmt.Sprintf("-1 errno=%d (%s)", int(errnoOf(x)), errnoOf(x).Error())
	case r != nil && (strings.HasPrefix(r.name, "mmap") || r.name == "brk" || r.name == "mremap" || r.name == "shmat"):
		text = fmt.Sprintf("0x%08x", x)
	default:
		text = strconv.FormatInt(t.long(x), 10)
	}
	t.trace(t.line + " = " + text + "\n")
}
