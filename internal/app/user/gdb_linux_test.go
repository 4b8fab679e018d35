//go:build linux && amd64

package user

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// gdbScript is a session of gdb's, with what is to be printed: expressions that
// match in this order.
const gdbScript = `
break inner
#Breakpoint 1 at
continue
#Breakpoint 1, inner \(n=1\)
backtrace
#outer \(n=1\)[^\n]*\n[^\n]*main \(\)
print $pc == &inner || n == 1
#= 1
info registers eflags mxcsr fctrl
#eflags +0x[^\n]*\[.*?mxcsr +0x1f[^\n]*\nfctrl +0x37f
finish
#Value returned is [^\n]*= 2
watch watched
#Hardware watchpoint 2
continue
#Old value = 0\nNew value = 3
rwatch half
#Hardware read watchpoint 3
delete 2
continue
#Breakpoint 1, inner \(n=1[012]\)
info threads
#main|futex|inner
thread apply all backtrace 3
#Thread 4.*?Thread 3.*?Thread 2.*?Thread 1
set scheduler-locking step
print other = 77
#= 77
stepi
x/1i $pc
#=> 0x
next
#return n \* 2
next
set scheduler-locking off
delete 1
handle SIGUSR1 stop print pass
continue
#received signal SIGUSR1
info auxv
#AT_PAGESZ.*?4096
monitor maps
#r-xp
continue
#Hardware read watchpoint 3
print $_exitcode
#void
delete
continue
#received signal SIGINT
frame function main
#main \(\)
print x
#= 6
print outer(20)
#= 41
print x = 9
detach
#detached
`

// TestGDB has real gdb debug a program with threads.
func TestGDB(t *testing.T) {
	gdb := ""
	for _, name := range []string{"gdb-multiarch", "gdb"} {
		if p, err := exec.LookPath(name); err == nil && gdb == "" {
			gdb = p
		}
	}
	if gdb == "" {
		t.Skip("there is no gdb: install the package gdb-multiarch")
	}
	for _, arch := range []string{"i386", "amd64"} {
		for _, socket := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", arch, socket), func(t *testing.T) {
				exe := built(t, arch, "gdb", "threads", "-g", "-O0")
				where, remote := filepath.Join(t.TempDir(), "socket"), ""
				if remote = where; !socket {
					l, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					_, where, _ = net.SplitHostPort(l.Addr().String())
					remote = "127.0.0.1:" + where
					l.Close()
				}
				testGDB(t, gdb, exe, where, remote)
			})
		}
	}
}

// printed is what a program prints; all is closed when it waits.
type printed struct {
	text bytes.Buffer
	once sync.Once
	all  chan struct{}
}

func (p *printed) Write(b []byte) (int, error) {
	n, err := p.text.Write(b)
	if bytes.Contains(p.text.Bytes(), []byte("waits\n")) {
		p.once.Do(func() { close(p.all) })
	}
	return n, err
}

func testGDB(t *testing.T, gdb, exe, where, remote string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	program := exec.CommandContext(ctx, "/proc/self/exe", "-g", where, exe)
	program.Args[0], program.WaitDelay = asUser, time.Minute
	printed := printed{all: make(chan struct{})}
	program.Stdout, program.Stderr = &printed, &printed
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	script, want := "set pagination off\nset confirm off\nset sysroot /\nset tcp connect-timeout 300\n", []string{}
	if strings.HasPrefix(remote, "/") {
		for range 6000 {
			if _, err := os.Stat(remote); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	script += "target remote " + remote + "\n"
	for line := range strings.Lines(gdbScript) {
		if expr, ok := strings.CutPrefix(line, "#"); ok {
			want = append(want, strings.TrimSpace(expr))
		} else {
			script += line
		}
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
	debugger := exec.CommandContext(ctx, gdb, "-q", "-nx", "-batch", "-x", file, exe)
	debugger.WaitDelay = time.Minute
	var b bytes.Buffer
	debugger.Stdout, debugger.Stderr = &b, &b
	if err := debugger.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-printed.all // the program runs on, until it is interrupted
		debugger.Process.Signal(os.Interrupt)
	}()
	err := debugger.Wait()
	out := b.String()
	if err != nil {
		t.Errorf("gdb: %v", err)
	}
	rest := out
	for _, w := range want {
		at := regexp.MustCompile("(?s)" + w).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("gdb does not print %q in\n%s", w, rest)
		}
		rest = rest[at[1]:]
	}
	program.Wait()
	if status := program.ProcessState.ExitCode(); status != 9 || printed.text.String() != "done 6 0 0.5\nwaits\n" {
		t.Errorf("after that the program ends with %d and prints %q\n%s", status, printed.text.String(), out)
	}
}
