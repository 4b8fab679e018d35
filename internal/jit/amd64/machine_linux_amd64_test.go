package amd64

import (
	"encoding/binary"
	"fmt"
	"testing"

	hostcpu "golang.org/x/sys/cpu"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/ir/irtest"
	"rhea/internal/jit/host"
)

// This file runs units in machine code, as the engine does and with as little
// as possible around it: one unit at a time, 64 KiB of memory, no guest.

// Layout of a context's tables, in words: for two MMU indexes the pages to
// read and to write, indirect jumps, and the memory itself, since the host's
// addresses of it must not change.
const (
	pagesOf  = 1 << 20
	jumpsAt  = 4 * pagesOf
	memoryAt = jumpsAt + 2*JumpSize
	memWords = 1 << 13
)

type machine struct {
	t       testing.TB
	ctx     *host.Context
	code    *host.Code
	c       *Compiler
	frame   *ir.Frame
	tables  []uint64
	mem     []uint64
	helpers []guest.Helper
	entry   uintptr
	first   int
	next    int

	direct uint16 // of the 16 pages: may be accessed directly
	write  uint16 // and written

	polled bool // the poll word was set at the end
	misses int  // sites that asked for an access
}

// newMachine makes a machine for slots; its helpers work on the frame.
func newMachine(t testing.TB, slots *ir.Slots, bmi2 bool, helpers func(f *ir.Frame) []guest.Helper) *machine {
	t.Helper()
	if !host.Available() {
		t.Skip("this host does not run generated code")
	}
	if bmi2 && !hostcpu.X86.HasBMI2 {
		bmi2 = false
	}
	ctx, err := host.NewContext((memoryAt + memWords) * 8)
	if err != nil {
		t.Fatal(err)
	}
	code, err := host.NewCode(2 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ctx.Close(); err != nil {
			t.Error(err)
		}
		if err := code.Close(); err != nil {
			t.Error(err)
		}
	})
	m := &machine{t: t, ctx: ctx, code: code, frame: ctx.Frame, tables: ctx.Tables(), helpers: helpers(ctx.Frame)}
	m.mem = m.tables[memoryAt:]
	cfg := Config{Slots: slots, Jumps: host.OffTables + jumpsAt*8, BMI2: bmi2}
	for i := range 2 {
		cfg.Read = append(cfg.Read, int32(host.OffTables+2*i*pagesOf*8))
		cfg.Write = append(cfg.Write, int32(host.OffTables+(2*i+1)*pagesOf*8))
	}
	m.c = New(cfg)
	n, entry := m.c.Stubs(code.RW)
	m.first = Place(n)
	m.next = m.first
	m.entry = code.RX + uintptr(entry)
	*ctx.Word(OffTag) = 1 << 32 // so that no entry of the table, all 0, fits
	return m
}

// place is where the byte at an address lies: no page is followed by the next
// one, so that an access that runs on into another page is found out.
func place(va uint64) uint64 { return (va>>12*5+3)&15<<12 | va&0xfff }

// setMemory sets the memory; pages are filled in as they are missed, or at
// once.
func (m *machine) setMemory(b *irtest.Memory, atOnce bool) {
	for i := range m.mem {
		m.mem[place(uint64(8*i))>>3] = binary.LittleEndian.Uint64(b[8*i:])
	}
	for table := range 4 {
		clear(m.tables[table*pagesOf:][:16])
	}
	for n := range uint64(16) {
		if atOnce {
			m.fill(n<<12, 0)
			m.fill(n<<12, 1)
		}
	}
}

func (m *machine) getMemory(b *irtest.Memory) {
	for i := range m.mem {
		binary.LittleEndian.PutUint64(b[8*i:], m.mem[place(uint64(8*i))>>3])
	}
}

func (m *machine) fill(va uint64, index int) {
	n := va >> 12
	if n >= 16 || m.direct>>n&1 == 0 {
		return
	}
	to := uint64(m.ctx.Base()) + host.OffTables + memoryAt*8 + place(n<<12) - n<<12
	m.tables[2*index*pagesOf+int(n)] = to
	if m.write>>n&1 != 0 {
		m.tables[(2*index+1)*pagesOf+int(n)] = to
	}
}

func (m *machine) load(va uint64, size int) (v uint64, fault string) {
	if va+uint64(size) > memWords*8 {
		return 0, fmt.Sprintf("fault %x", va)
	}
	for i := range uint64(size) {
		a := place(va + i)
		v |= m.mem[a>>3] >> (8 * (a & 7)) & 0xff << (8 * i)
	}
	return v, ""
}

func (m *machine) store(va uint64, size int, v uint64) (fault string) {
	if va+uint64(size) > memWords*8 {
		return fmt.Sprintf("fault %x", va)
	}
	for i := range uint64(size) {
		a, x := place(va+i), v>>(8*i)&0xff
		s := 8 * (a & 7)
		m.mem[a>>3] = m.mem[a>>3]&^(0xff<<s) | x<<s
	}
	return ""
}

// compile makes code of u and returns its offset.
func (m *machine) compile(u *ir.Unit, pc uint64, counted bool) int {
	m.t.Helper()
	for range 2 {
		if n := m.c.Compile(u, m.code.RW, m.next, Options{PC: pc, Owner: 7, Jump: 1, Counted: counted}); n != 0 {
			at := m.next
			m.next = Place(m.next + n)
			return at
		}
		m.next = m.first
	}
	m.t.Fatalf("the unit does not compile:\n%s", u)
	return 0
}

// closeLoops makes the jumps of the last unit, at an offset, that lead to its
// beginning do so. It returns 1 if that is to where vectors are in registers.
func (m *machine) closeLoops(at int) (loops int) {
	head := &m.c.vec.head
	for _, j := range m.c.Jumps {
		if j.PC != m.c.unitPC {
			continue
		}
		to := at
		if head.ok {
			to, loops = head.at, 1
		}
		m.code.Store32(j.At, uint32(to-(j.At+4)))
	}
	return loops
}

// run executes the code at an offset and says how it was left, in the words
// of irtest.Evaluate.
func (m *machine) run(at int) string {
	m.polled, m.misses = false, 0
	resume := m.ctx.Word(OffResume)
	*resume = uint64(m.code.RX) + uint64(at)
	for {
		id := m.ctx.Enter(m.entry)
		switch id {
		case host.ExitPreempted:
			continue
		case host.ExitFault:
			addr, rip, _ := host.Fault(m.ctx)
			m.t.Fatalf("signal %d at offset %#x of the code (the unit is at %#x), address %#x", m.ctx.FaultSignal(), rip-m.code.RX, at, addr)
		}
		s := m.c.Site(m.code.RW, int(*resume-uint64(m.code.RX)))
		m.c.Settle(m.frame, s)
		if s.Owner != 7 {
			m.t.Fatalf("a site has owner %d", s.Owner)
		}
		switch s.Kind {
		case Load, Store:
			m.misses++
			x, fault := m.access(s)
			if fault != "" {
				m.leave(s)
				return fault
			}
			*resume = m.resume(s, x)
		case Call:
			m.frame[0] = s.PC
			var a [3]uint64
			for i := range s.Writes {
				a[i] = m.source(&s.Writes[i])
			}
			r, stop := m.helpers[s.Imm](a[0], a[1], a[2])
			if stop && !s.Pure {
				return "stop"
			}
			*resume = m.resume(s, r)
		case Guard:
			m.leave(s)
			return fmt.Sprintf("guard %d", s.Imm)
		default:
			m.frame[0] = s.PC
			if w := s.Args[0]; w != NoWord {
				m.frame[0] = m.frame[w]
			}
			m.polled = uint32(*m.ctx.Word(host.OffPoll)) != 0
			switch s.Kind {
			case Poll:
				return "poll"
			case Link:
				return "link"
			case Indirect:
				return "indirect"
			}
			return "exit"
		}
	}
}

// access does what a Load or Store site asks for.
func (m *machine) access(s *Site) (result uint64, fault string) {
	va, n := m.frame[s.Args[0]], min(int(s.Size), 8)
	second := uint64(uint32(va + 8)) // of 16 bytes
	m.fill(va, int(s.Index))
	if s.Kind == Load {
		x, fault := m.load(va, n)
		if fault != "" {
			return 0, fault
		}
		if s.Size < 16 {
			return x, ""
		}
		y, fault := m.load(second, 8)
		if fault == "" {
			m.frame[s.Args[1]], m.frame[s.Args[1]+1] = x, y
		}
		return 0, fault
	}
	if s.Size == 16 {
		if _, fault := m.load(second, 8); fault != "" {
			return 0, fault
		}
	}
	x := s.Imm
	if s.Args[1] != NoWord {
		x = m.frame[s.Args[1]]
	}
	if fault := m.store(va, n, x); fault != "" || s.Size < 16 {
		return 0, fault
	}
	return 0, m.store(second, 8, m.frame[s.Args[1]+1])
}

func (m *machine) source(w *Write) uint64 {
	if w.Src == NoWord {
		return w.Val
	}
	return m.frame[w.Src]
}

func (m *machine) leave(s *Site) {
	list := s.Writes
	var v []uint64
	for i := range list {
		v = append(v, m.source(&list[i]))
	}
	for i, x := range v {
		m.frame[list[i].Slot] = x
	}
	m.frame[0] = s.PC
}

func (m *machine) resume(s *Site, result uint64) uint64 {
	*m.ctx.Word(OffResult) = result
	return uint64(m.code.RX) + uint64(m.c.Resume(m.frame, s, result))
}
