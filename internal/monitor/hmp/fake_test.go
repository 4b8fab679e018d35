package hmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rhea/internal/display"
	"rhea/internal/guest"
	"rhea/internal/keys"
	"rhea/internal/trace"
)

// fake is a machine that notes what is done to it. It checks that its lock is
// held when it has to be.
type fake struct {
	t      testing.TB
	mu     sync.Mutex
	locked atomic.Bool
	shared bool // by several goroutines: free cannot tell who has the lock
	state  string
	noteMu sync.Mutex
	events []string
	ram    []byte
	timers []func()
	logged bytes.Buffer
	log    *trace.Log
	m      *Monitor
}

func (f *fake) note(format string, args ...any) {
	f.noteMu.Lock()
	defer f.noteMu.Unlock()
	f.events = append(f.events, fmt.Sprintf(format, args...))
}

// took returns what was done since the last call.
func (f *fake) took() string {
	f.noteMu.Lock()
	defer f.noteMu.Unlock()
	s := strings.Join(f.events, " ")
	f.events = nil
	return s
}

func (f *fake) underLock() {
	if !f.locked.Load() {
		f.t.Error("called without the machine's lock")
	}
}

func (f *fake) free() {
	if f.locked.Load() && !f.shared {
		f.t.Error("called with the machine's lock held")
	}
}

func (f *fake) Do(fn func()) {
	f.mu.Lock()
	f.locked.Store(true)
	defer func() { f.locked.Store(false); f.mu.Unlock() }()
	fn()
}
func (f *fake) Held(fn func()) { f.Do(fn) }
func (f *fake) Post(fn func()) { go f.Do(fn) }
func (f *fake) Stop()          { f.free(); f.state = "paused"; f.note("stop") }
func (f *fake) Cont() error {
	f.free()
	if f.state == "paused (shutdown)" {
		return errors.New("Resetting the Virtual Machine is required")
	}
	f.state = "running"
	f.note("cont")
	return nil
}
func (f *fake) Reset()        { f.free(); f.note("reset") }
func (f *fake) PowerDown()    { f.free(); f.note("powerdown") }
func (f *fake) Quit(code int) { f.free(); f.note("quit %d", code) }

// fakeMemory is RAM at 0 and nothing behind it.
type fakeMemory struct{ f *fake }

func (m fakeMemory) ReadBytes(addr uint64, p []byte) {
	m.f.underLock()
	for i := range p {
		p[i] = 0xff
		if at := addr + uint64(i); at < uint64(len(m.f.ram)) {
			p[i] = m.f.ram[at]
		}
	}
}
func (m fakeMemory) Read(addr uint64, size int) uint64 {
	var b [8]byte
	m.ReadBytes(addr, b[:size])
	return binary.LittleEndian.Uint64(b[:])
}
func (m fakeMemory) Write(addr uint64, size int, v uint64) { m.f.underLock() }
func (m fakeMemory) Mapped(addr uint64) (uint64, bool) {
	if n := uint64(len(m.f.ram)); addr < n {
		return n - 1, true
	}
	return ^uint64(0), false
}

type fakePorts struct{ f *fake }

func (p fakePorts) ReadBytes(addr uint64, b []byte) { panic("not of ports") }
func (p fakePorts) Read(addr uint64, size int) uint64 {
	p.f.underLock()
	p.f.note("in%d(%#x)", size, addr)
	return 0x12345678 & (1<<(8*size) - 1)
}
func (p fakePorts) Write(addr uint64, size int, v uint64) {
	p.f.underLock()
	p.f.note("out%d(%#x)=%#x", size, addr, v)
}

// fakeCPU maps everything at 80000000h to 0.
type fakeCPU struct {
	f *fake
	n int
}

func (c *fakeCPU) DumpRegisters(w io.Writer) error {
	c.f.underLock()
	_, err := fmt.Fprintf(w, "EAX=%08x\n", 0x1000+c.n)
	return err
}
func (c *fakeCPU) Regs(r guest.RegSet) {
	c.f.underLock()
	r.Reg("eax", 32, uint64(0x1000+c.n))
	r.Reg("esp", 32, 0x7c00)
	r.Reg("cs_base", 32, 0xf0000)
}
func (c *fakeCPU) Probe(va uint64) (uint64, bool) {
	c.f.underLock()
	if va >= 0x80000000 && va < 0x80010000 {
		return va - 0x80000000, true
	}
	return 0, false
}
func (c *fakeCPU) Key() guest.Key { return guest.Key{PC: 0x10, Base: 0x80000000} }
func (c *fakeCPU) Disassemble(code []byte, pc uint64, size int) (string, int) {
	if len(code) < 2 {
		return "", 0
	}
	return fmt.Sprintf("op%d 0x%x", size, code[0]), 2
}
func (c *fakeCPU) DumpMem(w io.Writer) error {
	_, err := io.WriteString(w, "PG disabled\n")
	return err
}
func (c *fakeCPU) DumpTLB(w io.Writer) error {
	_, err := io.WriteString(w, "PG disabled\n")
	return err
}
func (c *fakeCPU) ThreadID() int { return 100 + c.n }

type fakeSpace struct{ name string }

func (s fakeSpace) Tree(w io.Writer, all bool) {
	fmt.Fprintf(w, "address-space: %s %v\n\n", s.name, all)
}
func (s fakeSpace) Flat(w io.Writer) { fmt.Fprintf(w, " AS %q\n", s.name) }

func (f *fake) Key(code keys.Code, down bool) {
	f.underLock()
	f.note("%s%s", map[bool]string{true: "+", false: "-"}[down], code.Name())
}

type fakeMouse struct{ f *fake }

func (m fakeMouse) Move(dx, dy, dz int) { m.f.underLock(); m.f.note("move(%d,%d,%d)", dx, dy, dz) }
func (m fakeMouse) SetButtons(b uint8)  { m.f.underLock(); m.f.note("buttons(%d)", b) }

// fakeScreen is 3 x 2 pixels of a surface with a longer stride.
type fakeScreen struct{ f *fake }

func (s fakeScreen) Snapshot() *display.Surface {
	return &display.Surface{Width: 3, Height: 2, Stride: 4,
		Pix: []uint32{0xff0000, 0x00ff00, 0x0000ff, 0xdead, 0x010203, 0xffffff, 0, 0xdead}}
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t, state: "paused (prelaunch)", ram: make([]byte, 0x10000)}
	for i := range f.ram {
		f.ram[i] = byte(i)
	}
	f.log = trace.New(&f.logged, 0)
	f.m = New(Config{
		Machine: f, Status: func() string { return f.state },
		Name: "fake", UUID: [16]byte{0x12, 0x34, 15: 0xff}, Package: "rhea 0.1",
		CPUs:   []CPU{&fakeCPU{f, 0}, &fakeCPU{f, 1}},
		Memory: fakeMemory{f}, IO: fakePorts{f},
		Spaces:   []Space{fakeSpace{"memory"}, fakeSpace{"I/O"}},
		Keyboard: f, Pointer: fakeMouse{f}, Screen: fakeScreen{f},
		After: func(d time.Duration, fn func()) {
			f.underLock()
			f.note("after(%v)", d)
			f.timers = append(f.timers, fn)
		},
		Chardevs: func() []Chardev { f.underLock(); return []Chardev{{"serial0", "null"}, {"compat_monitor0", "stdio"}} },
		Blocks: func() []Block {
			f.underLock()
			return []Block{
				{Name: "ide0-hd0", Node: "#block123", File: "disk.img", Format: "raw", Attached: "/machine/unattached/device[23]", Cache: "writeback",
					Size: 64 << 20, Used: 1234 << 10},
				{Name: "foo", Node: "#block9", File: "a.qcow2", Format: "qcow2", ReadOnly: true, Cache: "writeback, direct", Backing: "base.img"},
				{Name: "ide1-cd0", Attached: "/machine/unattached/device[25]", Removable: true, Locked: true, TrayOpen: true},
			}
		},
		LAPIC: func(w io.Writer, id int64) bool {
			f.underLock()
			if id > 1 {
				return false
			}
			fmt.Fprintf(w, "dumping local APIC state for CPU %d\n", id)
			return true
		},
		Devices: func() []Bus {
			f.underLock()
			return []Bus{{Name: "main-system-bus", Type: "System", Devices: []Device{
				{Type: "i440FX-pcihost", Lines: []string{"short_root_bus = 0 (0x0)"}, Buses: []Bus{
					{Name: "pci.0", Type: "PCI", Devices: []Device{{Type: "VGA", ID: "vga"}}},
				}},
			}}}
		},
		Info: map[string]func(io.Writer){
			"pci":  func(w io.Writer) { f.underLock(); io.WriteString(w, "  Bus  0, device   0, function 0:\n") },
			"mice": func(w io.Writer) { io.WriteString(w, "* Mouse #0: QEMU PS/2 Mouse\n") },
		},
		Commands: map[string]func(io.Writer, Args) error{
			"eject": func(w io.Writer, a Args) error {
				f.free()
				f.note("eject %s force=%v", a.Text("device"), a.Has("-f"))
				if a.Text("device") == "foo" {
					return errors.New("Device 'foo' is not removable")
				}
				return nil
			},
		},
		Log: f.log, LogFile: func(name string) error { f.note("logfile %s", name); return nil },
		NMI:       func() { f.underLock(); f.note("nmi") },
		BootOrder: func(order string) error { f.underLock(); f.note("boot %s", order); return nil },
	})
	return f
}
