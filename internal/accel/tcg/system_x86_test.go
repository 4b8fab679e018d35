package tcg_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/internal/accel"
	"rhea/internal/guest/x86"
)

// Programs that no captured vector covers: privilege, gates, tasks, paging,
// self-modifying code, debugging. Each runs on a bare processor, once freely
// and once step by step, and reports by exceptions: every vector's handler
// writes to a port, where the test looks at the machine. A program ends with
// INT 4F.

// sysConst are the addresses and selectors that programs can name.
var sysConst = map[string]uint32{
	"pgdir": 0x1000, "pt": 0x2000, "idt": 0x6000, "gdt": 0x7000, "ldt": 0xb000,
	"tss": 0x8000, "tssb": 0x8200, "tss16": 0x8400, "tssv": 0x8600, "tssdf": 0x8800,
	"handlers": 0x9000, "code": 0x10000, "stack0": 0x20000, "stack1": 0x22000, "stack2": 0x24000, "stack3": 0x28000,
	"stackb": 0x2a000, "code16": 0x30000, "data": 0x40000,

	"k_cs": 0x08, "k_ds": 0x10, "u_cs": 0x1b, "u_ds": 0x23, "ts": 0x28, "tsb": 0x30, "ts16": 0x38,
	"r1_cs": 0x41, "r1_ds": 0x49, "r2_cs": 0x52, "r2_ds": 0x5a, "k16_cs": 0x60, "k16_ds": 0x68,
	"gate": 0x70, "tgate": 0x78, "ldts": 0x80, "conf": 0x88, "down": 0x90, "ro": 0x98, "np": 0xa0, "small": 0xa8,
	"tsv": 0xb0, "tsdf": 0xb8, "down16": 0xc0, "gate16": 0xc8, "u16_cs": 0xd3,
}

const sysRAM = 0x300000

// sysTest is one program.
type sysTest struct {
	name   string
	model  string // "" = max
	paging bool
	// regs and setup change the machine before it starts.
	regs  func(s *x86.State)
	setup func(s *sysRig)
	// code is at "code", 32-bit, level 0; code16 at linear address "code16",
	// assembled at 0.
	code, code16 string
	// on is called at each event; false lets the event's own rule apply: an
	// exception at label x goes on at label x_ if there is one, or ends the
	// program; any other event returns.
	on func(s *sysRig, e *sysEvent) bool
	// What must come of it: the events but the last, and then registers and
	// memory, as "eax=1 data=2 data+4=3".
	want, state string
}

// sysEvent is what a handler found on its stack.
type sysEvent struct {
	vec               int
	code              uint32
	ip, cs, flags, sp uint32
	at                int // where the frame is (its EIP)
	text              string
}

type sysRig struct {
	*rig
	t      testing.TB
	labels map[string]uint32
	own    map[string]uint32 // labels of the program
}

var vecNames = map[int]string{0: "DE", 1: "DB", 2: "NMI", 3: "BP", 4: "OF", 5: "BR", 6: "UD", 7: "NM", 8: "DF", 10: "TS", 11: "NP", 12: "SS", 13: "GP", 14: "PF", 16: "MF", 17: "AC"}

func hasCode(vec int) bool { return vec == 8 || vec >= 10 && vec <= 14 || vec == 17 }

// desc writes a descriptor: access is its bytes 5 and 6's upper half, as in
// the second dword shifted right by 8.
func (s *sysRig) desc(sel, base, limit, access uint32) {
	at := int(s.labels["gdt"] + sel&^7)
	if limit > 0xfffff {
		limit, access = limit>>12, access|0x8000
	}
	put32(s.ram, at, base<<16|limit&0xffff)
	put32(s.ram, at+4, base&0xff000000|limit&0xf0000|access<<8&0xf0ff00|base>>16&0xff)
}

// gateAt writes a gate: access is byte 5.
func (s *sysRig) gateAt(at, sel, off, access, params uint32) {
	put32(s.ram, int(at), sel<<16|off&0xffff)
	put32(s.ram, int(at)+4, off&0xffff0000|access<<8|params)
}

func (s *sysRig) idtGate(vec, sel, off, access uint32) {
	s.gateAt(s.labels["idt"]+8*vec, sel, off, access, 0)
}

// task fills a 32-bit TSS.
func (s *sysRig) task(at, ip, sp, cs, ss, flags uint32) {
	b := s.ram[at:]
	put32(b, 4, s.labels["stack0"]-0x800)
	put32(b, 8, s.labels["k_ds"])
	put32(b, 0x1c, s.labels["pgdir"])
	put32(b, 0x20, ip)
	put32(b, 0x24, flags|2)
	put32(b, 0x38, sp)
	for i, sel := range []uint32{ss, cs, ss, ss, 0, 0} {
		put32(b, 0x48+4*i, sel)
	}
	put32(b, 0x60, 0)
	put32(b, 0x64, 0x68<<16)
}

func newSysRig(t testing.TB, x *sysTest) *sysRig {
	model := x.model
	if model == "" {
		model = "max"
	}
	s := &sysRig{rig: newRig(t, model, sysRAM), t: t, labels: maps.Clone(sysConst)}
	l := s.labels
	b := s.ram
	for page := range 0x400 {
		put32(b, int(l["pt"])+page*4, uint32(page)<<12|7)
	}
	put32(b, int(l["pgdir"]), l["pt"]|7)
	for v := range uint32(0x50) {
		text := fmt.Sprintf("out %d, al\n", v)
		if hasCode(int(v)) {
			text += "add esp, 4\n"
		}
		at := l["handlers"] + v*32
		copy(b[at:], assemble(t, 32, at, map[string]uint32{}, text+"iret"))
		s.idtGate(v, l["k_cs"], at, 0xee)
	}
	// The same for real mode, at 3000:e000.
	for v := range uint32(0x50) {
		at := 0xe000 + v*4
		copy(b[l["code16"]+at:], []byte{0xe6, byte(v), 0xcf})
		put32(b, int(4*v), l["code16"]<<12|at)
	}
	const flat = 0xffffffff
	s.desc(l["k_cs"], 0, flat, 0x409b)
	s.desc(l["k_ds"], 0, flat, 0x4093)
	s.desc(l["u_cs"], 0, flat, 0x40fb)
	s.desc(l["u_ds"], 0, flat, 0x40f3)
	s.desc(l["ts"], l["tss"], 0x67, 0x8b)
	s.desc(l["tsb"], l["tssb"], 0x67, 0xe9)
	s.desc(l["ts16"], l["tss16"], 0x2b, 0xe1)
	s.desc(l["tsv"], l["tssv"], 0x67, 0xe9)
	s.desc(l["tsdf"], l["tssdf"], 0x67, 0xe9)
	s.desc(l["r1_cs"], 0, flat, 0x40bb)
	s.desc(l["r1_ds"], 0, flat, 0x40b3)
	s.desc(l["r2_cs"], 0, flat, 0x40db)
	s.desc(l["r2_ds"], 0, flat, 0x40d3)
	s.desc(l["k16_cs"], l["code16"], 0xffff, 0x9b)
	s.desc(l["k16_ds"], l["code16"], 0xffff, 0x93)
	s.desc(l["u16_cs"], l["code16"], 0xffff, 0xfb)
	s.desc(l["ldts"], l["ldt"], 0x3f, 0x82)
	s.desc(l["conf"], 0, flat, 0x409f)
	s.desc(l["down"], 0, 0xfff, 0x40f7)   // from 1000 up
	s.desc(l["down16"], 0, 0xfff, 0x00f7) // from 1000 to ffff
	s.desc(l["ro"], l["data"], 0xfff, 0x40f1)
	s.desc(l["np"], l["data"], 0xfff, 0x4073)
	s.desc(l["small"], l["data"], 0xfff, 0x40f3)
	for i, n := range []string{"stack0", "stack1", "stack2"} {
		put32(b, int(l["tss"])+4+8*i, l[n]-uint32(0x400))
		put32(b, int(l["tss"])+8+8*i, []uint32{l["k_ds"], l["r1_ds"], l["r2_ds"]}[i])
	}
	put32(b, int(l["tss"])+0x1c, l["pgdir"])
	put32(b, int(l["tss"])+0x64, 0x68<<16)

	copy(b[l["code16"]:], assemble(t, 16, 0, l, x.code16))
	copy(b[l["code"]:], assemble(t, 32, l["code"], l, x.code))
	s.own = maps.Clone(l)
	for n := range sysConst {
		delete(s.own, n)
	}
	s.cpu.Reset()
	s.cpu.SetRegisters(func(r *x86.State) {
		r.CR0 = 0x11
		if x.paging {
			r.CR0 |= 0x80010000 // PG, WP
		}
		r.CR3 = uint64(l["pgdir"])
		for i := range r.Seg {
			r.Seg[i] = x86.Segment{Sel: uint64(l["k_ds"]), Limit: flat, Attr: 0xcf9300}
		}
		r.Seg[x86.CS] = x86.Segment{Sel: uint64(l["k_cs"]), Limit: flat, Attr: 0xcf9b00}
		r.TR = x86.Segment{Sel: uint64(l["ts"]), Base: uint64(l["tss"]), Limit: 0x67, Attr: 0x8b00}
		r.LDTR = x86.Segment{Sel: uint64(l["ldts"]), Base: uint64(l["ldt"]), Limit: 0x3f, Attr: 0x8200}
		r.GDTR = x86.Table{Base: uint64(l["gdt"]), Limit: 0xff}
		r.IDTR = x86.Table{Base: uint64(l["idt"]), Limit: 0x27f}
		r.GPR[4] = uint64(l["stack0"])
		r.IP = uint64(l["code"])
		if x.regs != nil {
			x.regs(r)
		}
	})
	s.cpu.SetEFLAGS(2)
	if x.setup != nil {
		x.setup(s)
	}
	return s
}

// label names an address of the program; labels of faults come first.
func (s *sysRig) label(ip uint32) string {
	best, rank := fmt.Sprintf("%x", ip), 0
	for _, n := range slices.Sorted(maps.Keys(s.own)) {
		r := 2
		if strings.HasSuffix(n, "_") {
			r = 1
		} else if _, ok := s.own[n+"_"]; ok {
			r = 3
		}
		if s.own[n] == ip && r > rank {
			best, rank = n, r
		}
	}
	return best
}

// step runs until a handler reports, or something else ends it.
func (s *sysRig) step(single bool) (e sysEvent, end string) {
	s.vector = -1
	stuck := time.AfterFunc(5*time.Minute, s.vcpu.Kick)
	defer stuck.Stop()
	budget := int64(0)
	if single {
		budget = 1
	}
	for n := 0; s.vector < 0; n++ {
		exit, err := s.vcpu.Run(budget)
		switch {
		case err != nil:
			return e, err.Error()
		case exit == accel.Shutdown:
			return e, "shutdown"
		case exit == accel.Kicked && s.vector < 0, n > 1000000:
			return e, "stuck"
		}
	}
	r := s.cpu.Registers()
	e.vec = s.vector
	at := int(uint32(r.GPR[4]) + uint32(r.Seg[x86.SS].Base))
	e.text = vecNames[e.vec]
	if e.text == "" {
		e.text = fmt.Sprintf("int%x", e.vec)
	}
	if at+16 > len(s.ram) {
		return e, fmt.Sprintf("%s with its stack at %x", e.text, at)
	}
	if r.CR0&1 == 0 { // a 16-bit frame
		e.ip, e.cs, e.flags = uint32(le16(s.ram, at)), uint32(le16(s.ram, at+2)), uint32(le16(s.ram, at+4))
		e.at = at
		e.text += "@" + s.label(e.ip)
		return e, ""
	}
	switch {
	case e.vec == 1:
		e.text += fmt.Sprintf("(%x)", r.DR[6]&0xe00f)
		r.DR[6] = 0xffff0ff0
	case hasCode(e.vec):
		e.code = get32(s.ram, at)
		at += 4
		e.text += fmt.Sprintf("(%x)", e.code)
		if e.vec == 14 {
			e.text += fmt.Sprintf("[%x]", r.CR2)
		}
	}
	e.at = at
	e.ip, e.cs, e.flags, e.sp = get32(s.ram, at), get32(s.ram, at+4), get32(s.ram, at+8), get32(s.ram, at+12)
	e.text += "@" + s.label(e.ip)
	return e, ""
}

func le16(b []byte, at int) uint16 { return uint16(b[at]) | uint16(b[at+1])<<8 }

// isFault reports whether an exception's handler returns to its instruction.
func (e *sysEvent) isFault() bool {
	switch e.vec {
	case 0, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17:
		return true
	}
	return false
}

// run executes the program and returns its events.
func (s *sysRig) run(x *sysTest, single bool) string {
	var events []string
	for len(events) < 100 {
		e, end := s.step(single)
		if end != "" {
			events = append(events, end)
			break
		}
		if e.vec == 0x4f {
			break
		}
		events = append(events, e.text)
		if x.on != nil && x.on(s, &e) {
			continue
		}
		if e.isFault() {
			next, ok := s.own[s.label(e.ip)+"_"]
			if !ok {
				break
			}
			put32(s.ram, e.at, next)
		}
	}
	return strings.Join(events, " ")
}

// check compares "name=value" pairs with registers and memory.
func (s *sysRig) check(state string) (bad []string) {
	a := &assembler{labels: s.labels, last: true}
	r := s.cpu.Registers()
	for _, f := range strings.Fields(state) {
		name, value, _ := strings.Cut(f, "=")
		want, _, err := a.value(value)
		if err != nil {
			s.t.Fatal(err)
		}
		var got uint32
		if reg, ok := asmRegs[name]; ok && reg.kind == 'r' {
			got = uint32(r.GPR[reg.n])
		} else if name == "cr2" {
			got = uint32(r.CR2)
		} else {
			at, _, err := a.value(name)
			if err != nil {
				s.t.Fatal(err)
			}
			got = get32(s.ram, int(at))
		}
		if got != want {
			bad = append(bad, fmt.Sprintf("%s is %#x, want %#x", name, got, want))
		}
	}
	return bad
}

// test runs the program freely and step by step.
func (x *sysTest) test(t *testing.T) {
	for _, single := range []bool{false, true} {
		s := newSysRig(t, x)
		if got := s.run(x, single); got != x.want {
			t.Errorf("single %v: events\n\t%s\nwant\n\t%s", single, got, x.want)
		}
		for _, b := range s.check(x.state) {
			t.Errorf("single %v: %s", single, b)
		}
	}
}

func runSysTests(t *testing.T, tests []sysTest) {
	for i := range tests {
		x := &tests[i]
		t.Run(x.name, func(t *testing.T) { eachEngine(t, x.test) })
	}
}

// user enters level 3 at a label.
func user(label string) string {
	return "push u_ds\npush stack3\npush 2\npush u_cs\npush " + label + "\niret\n"
}

// done ends a program.
const done = "int 0x4f\n"
