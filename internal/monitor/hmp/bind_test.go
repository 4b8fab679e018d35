package hmp

import (
	"strings"
	"sync"
	"testing"
	"time"

	"rhea/internal/accel/tcg"
	"rhea/internal/dev/input/ps2"
	"rhea/internal/guest/x86"
	"rhea/internal/mem"
	"rhea/internal/trace"
	"rhea/internal/vclock"
)

// What machines are made of is what the monitor wants.
var (
	_ CPU          = (*x86.CPU)(nil)
	_ Disassembler = (*x86.CPU)(nil)
	_ PageDumper   = (*x86.CPU)(nil)
	_ Inspector    = (*x86.CPU)(nil)
	_ Memory       = (*mem.Space)(nil)
	_ Mapped       = (*mem.Space)(nil)
	_ Space        = (*mem.Space)(nil)
	_ Keyboard     = (*ps2.Keyboard)(nil)
	_ Pointer      = (*ps2.Mouse)(nil)
)

// realMachine is an x86 with 1 MiB of RAM and nothing else.
func realMachine(t *testing.T) (*Monitor, *x86.CPU, *mem.Space) {
	model, err := x86.ParseModel("max")
	if err != nil {
		t.Fatal(err)
	}
	log := trace.New(t.Output(), 0)
	root := mem.NewContainer("system", 0)
	root.Add(0, mem.NewRAM("ram", 1<<20))
	space := mem.NewSpace("memory", root, log)
	io := mem.NewSpace("I/O", mem.NewContainer("io", 0x10000), log)
	f := newFake(t)
	f.shared = true
	cpu := x86.New(x86.Config{Model: model, Clock: vclock.NewManual(), Log: log})
	if _, err := tcg.New(tcg.Config{Lock: fakeLocker{f}, IO: io, Log: log, Engine: tcg.Interpreter}).NewCPU(cpu, space); err != nil {
		t.Fatal(err)
	}
	m := New(Config{Machine: f, CPUs: []CPU{cpu}, Memory: space, IO: io, Spaces: []Space{space, io}, Log: log})
	return m, cpu, space
}

// fakeLocker is the fake's lock, for the engine.
type fakeLocker struct{ f *fake }

func (l fakeLocker) Lock()   { l.f.mu.Lock() }
func (l fakeLocker) Unlock() { l.f.mu.Unlock() }

var _ sync.Locker = fakeLocker{}

func TestRealMachine(t *testing.T) {
	m, cpu, space := realMachine(t)
	space.WriteBytes(0x7c00, []byte{0xb8, 0x34, 0x12, 0x00, 0x00, 0xeb, 0xfe})
	cpu.SetRegisters(func(s *x86.State) { s.GPR[0], s.IP, s.Seg[x86.CS].Base = 0xabcd, 0x7c00, 0 })
	for _, c := range []struct{ line, want string }{
		{"p /x $eax", "0xabcd\n"},
		{"p /x $pc", "0x7c00\n"},
		{"x /2i $pc", "0x00007c00:  b8 34 12                 mov ax, 0x1234\n0x00007c03:  00 00                    add byte [bx+si], al\n"},
		{"x /2wi $pc", "0x00007c00:  b8 34 12 00 00           mov eax, 0x1234\n0x00007c05:  eb fe                    jmp 0x7c05\n"},
		{"x /2xb 0xfffff", "000fffff: Cannot access memory\n"},
		{"xp /1xb 0xfffff", "00000000000fffff: 0x00\n"},
		{"info mem", "PG disabled\n"},
		{"info mtree", "address-space: memory\n  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n    0000000000000000-00000000000fffff (prio 0, ram): ram\n\n" +
			"address-space: I/O\n  0000000000000000-000000000000ffff (prio 0, i/o): io\n\n"},
	} {
		if got := m.Exec(c.line); got != c.want {
			t.Errorf("%s:\n%s", c.line, got)
		}
	}
	if got := m.Exec("info registers"); !strings.Contains(got, "EAX=0000abcd EBX") {
		t.Error(got)
	}
}

// A guest with its page tables where no memory is does not make the monitor
// wait for the lock that it holds.
func TestPageTablesOutsideRAM(t *testing.T) {
	m, cpu, _ := realMachine(t)
	cpu.SetRegisters(func(s *x86.State) { s.CR0, s.CR3 = 0x80000011, 0x40000000 })
	done := make(chan string)
	go func() {
		var all string
		for _, line := range []string{"x /4xb 0x400000", "x /i $pc", "gva2gpa 0x1000", "info mem", "memsave 0 16 /dev/null"} {
			all += m.Exec(line)
		}
		done <- all
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		t.Fatal("the monitor waits for itself")
	}
}
