package gdbstub

import (
	"encoding/binary"
	"fmt"

	"rhea/internal/guest/x86"
)

// Features of x86 (gdb's manual, "i386 Features").
const (
	x86Core     = "org.gnu.gdb.i386.core"
	x86SSE      = "org.gnu.gdb.i386.sse"
	x86Linux    = "org.gnu.gdb.i386.linux"
	x86Segments = "org.gnu.gdb.i386.segments"
	x86AVX      = "org.gnu.gdb.i386.avx"
)

const x86Flags = `<flags id="i386_eflags" size="4"><field name="" start="22" end="31"/><field name="CF" start="0" end="0"/><field name="" start="1" end="1"/>` +
	`<field name="PF" start="2" end="2"/><field name="AF" start="4" end="4"/><field name="ZF" start="6" end="6"/><field name="SF" start="7" end="7"/>` +
	`<field name="TF" start="8" end="8"/><field name="IF" start="9" end="9"/><field name="DF" start="10" end="10"/><field name="OF" start="11" end="11"/>` +
	`<field name="NT" start="14" end="14"/><field name="RF" start="16" end="16"/><field name="VM" start="17" end="17"/><field name="AC" start="18" end="18"/>` +
	`<field name="ID" start="21" end="21"/></flags>`

const x86Vectors = `<vector id="v8bf16" type="bfloat16" count="8"/><vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>` +
	`<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/>` +
	`<vector id="v2i64" type="int64" count="2"/><union id="vec128"><field name="v8_bfloat16" type="v8bf16"/><field name="v4_float" type="v4f"/>` +
	`<field name="v2_double" type="v2d"/><field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/>` +
	`<field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>` +
	`<flags id="i386_mxcsr" size="4"><field name="IE" start="0" end="0"/><field name="DE" start="1" end="1"/><field name="ZE" start="2" end="2"/>` +
	`<field name="OE" start="3" end="3"/><field name="UE" start="4" end="4"/><field name="PE" start="5" end="5"/><field name="DAZ" start="6" end="6"/>` +
	`<field name="IM" start="7" end="7"/><field name="DM" start="8" end="8"/><field name="ZM" start="9" end="9"/><field name="OM" start="10" end="10"/>` +
	`<field name="UM" start="11" end="11"/><field name="PM" start="12" end="12"/><field name="FZ" start="15" end="15"/></flags>`

// x86Places says where a register of the table is: what it is of, and which.
type x86Place struct {
	kind byte // g, i(p), f(lags), s(egment), t (x87 stack), c (x87 control), x(mm), m(xcsr), o(riginal), b(ase), y(mm's upper half)
	n    int
}

// X86 is the table of an x86 processor, with which its registers are reached.
type X86 struct {
	Arch   *Arch
	places []x86Place
}

// NewX86 makes the table of processors in 32-bit or 64-bit mode; linux adds what
// Linux has, and avx the upper halves of the YMM registers.
func NewX86(long, linux, avx bool) *X86 {
	t := &X86{Arch: &Arch{Name: "i386", PC: 8, Stop: []int{4, 5, 8}, Order: binary.LittleEndian, Types: map[string]string{x86Core: x86Flags, x86SSE: x86Vectors}}}
	names, bits, integer, code, data := x86Names32, 32, "int32", "code_ptr", "data_ptr"
	vectors := 8
	if long {
		t.Arch.Name, t.Arch.PC, t.Arch.Stop = "i386:x86-64", 16, []int{6, 7, 16}
		names, bits, integer, vectors = x86Names64, 64, "int64", 16
	}
	if linux {
		t.Arch.OSABI = "GNU/Linux"
	}
	add := func(feature, name string, bits int, typ, group string, p x86Place) {
		t.Arch.Registers = append(t.Arch.Registers, Register{name, bits, typ, group, feature})
		t.places = append(t.places, p)
	}
	for _, r := range names {
		typ := integer
		if r.n == 4 || r.n == 5 {
			typ = data
		}
		add(x86Core, r.name, bits, typ, "", x86Place{'g', r.n})
	}
	ip, prefix := "eip", 'e'
	if long {
		ip, prefix = "rip", 'r'
	}
	add(x86Core, ip, bits, code, "", x86Place{'i', 0})
	add(x86Core, "eflags", 32, "i386_eflags", "", x86Place{'f', 0})
	for _, s := range []struct {
		name string
		n    int
	}{{"cs", x86.CS}, {"ss", x86.SS}, {"ds", x86.DS}, {"es", x86.ES}, {"fs", x86.FS}, {"gs", x86.GS}} {
		add(x86Core, s.name, 32, "int32", "", x86Place{'s', s.n})
	}
	for i := range 8 {
		add(x86Core, fmt.Sprint("st", i), 80, "i387_ext", "", x86Place{'t', i})
	}
	for i, name := range []string{"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"} {
		add(x86Core, name, 32, "int", "float", x86Place{'c', i})
	}
	for i := range vectors {
		add(x86SSE, fmt.Sprint("xmm", i), 128, "vec128", "", x86Place{'x', i})
	}
	add(x86SSE, "mxcsr", 32, "i386_mxcsr", "vector", x86Place{'m', 0})
	if linux {
		add(x86Linux, fmt.Sprintf("orig_%cax", prefix), bits, integer, "system", x86Place{'o', 0})
	}
	if long {
		add(x86Segments, "fs_base", 64, "int", "", x86Place{'b', x86.FS})
		add(x86Segments, "gs_base", 64, "int", "", x86Place{'b', x86.GS})
	}
	if avx {
		for i := range vectors {
			add(x86AVX, fmt.Sprintf("ymm%dh", i), 128, "uint128", "", x86Place{'y', i})
		}
	}
	return t
}

type x86Name struct {
	name string
	n    int
}

// General registers in gdb's order.
var (
	x86Names32 = []x86Name{{"eax", 0}, {"ecx", 1}, {"edx", 2}, {"ebx", 3}, {"esp", 4}, {"ebp", 5}, {"esi", 6}, {"edi", 7}}
	x86Names64 = []x86Name{
		{"rax", 0}, {"rbx", 3}, {"rcx", 1}, {"rdx", 2}, {"rsi", 6}, {"rdi", 7}, {"rbp", 5}, {"rsp", 4},
		{"r8", 8}, {"r9", 9}, {"r10", 10}, {"r11", 11}, {"r12", 12}, {"r13", 13}, {"r14", 14}, {"r15", 15},
	}
)

// Of returns the registers of a processor.
func (t *X86) Of(cpu *x86.CPU) Registers { return x86Registers{t, cpu} }

type x86Registers struct {
	t   *X86
	cpu *x86.CPU
}

// Offsets in FXSAVE's image (SDM vol. 1, 10.5.1).
const (
	fxTag, fxOp, fxIP, fxCS, fxDP, fxDS, fxStack = 4, 6, 8, 12, 16, 20, 32
)

func put(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
}

func number(b []byte) (v uint64) {
	for i := range b[:min(len(b), 8)] {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

func (r x86Registers) Get(n int, b []byte) bool {
	s := r.cpu.Registers()
	switch p := r.t.places[n]; p.kind {
	case 'g':
		put(b, s.GPR[p.n])
	case 'i':
		put(b, s.IP)
	case 'f':
		put(b, r.cpu.EFLAGS())
	case 's':
		put(b, s.Seg[p.n].Sel)
	case 't':
		copy(b, r.image()[fxStack+16*p.n:])
	case 'c':
		put(b, r.control(p.n))
	case 'x':
		put(b[:8], s.XMM[p.n][0])
		put(b[8:], s.XMM[p.n][1])
	case 'y':
		put(b[:8], s.YMMH[p.n][0])
		put(b[8:], s.YMMH[p.n][1])
	case 'm':
		put(b, s.MXCSR)
	case 'o':
		put(b, ^uint64(0))
	case 'b':
		put(b, s.Seg[p.n].Base)
	}
	return true
}

func (r x86Registers) image() []byte {
	b := make([]byte, x86.FXSize)
	r.cpu.SaveFX(b)
	return b
}

// control is one of the x87's registers but the stack's, in gdb's order.
func (r x86Registers) control(n int) uint64 {
	b := r.image()
	le := binary.LittleEndian
	switch n {
	case 0, 1:
		return uint64(le.Uint16(b[2*n:]))
	case 2:
		return uint64(tagWord(b))
	case 3:
		return uint64(le.Uint16(b[fxCS:]))
	case 4:
		return uint64(le.Uint32(b[fxIP:]))
	case 5:
		return uint64(le.Uint16(b[fxDS:]))
	case 6:
		return uint64(le.Uint32(b[fxDP:]))
	}
	return uint64(le.Uint16(b[fxOp:]))
}

// tagWord is the x87's tag word, of which FXSAVE's image keeps only what is
// empty (SDM vol. 1, 8.1.7).
func tagWord(image []byte) (tags uint16) {
	const valid, zero, special, empty = 0, 1, 2, 3
	top := int(image[3]>>3) & 7
	for i := range 8 { // physical registers
		v := image[fxStack+16*((i-top)&7):]
		m, e := binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint16(v[8:])&0x7fff
		tag := uint16(valid)
		switch {
		case image[fxTag]>>i&1 == 0:
			tag = empty
		case m == 0 && e == 0:
			tag = zero
		case e == 0 || e == 0x7fff || m>>63 == 0:
			tag = special
		}
		tags |= tag << (2 * i)
	}
	return tags
}

func (r x86Registers) Set(n int, b []byte) bool {
	s := r.cpu.Registers()
	v := number(b)
	switch p := r.t.places[n]; p.kind {
	case 'g':
		s.GPR[p.n] = v
	case 'i':
		s.IP = v
	case 'f':
		const user = 0x240dd5 // what a program may change, TF included
		r.cpu.SetEFLAGS(r.cpu.EFLAGS()&^user | v&user)
	case 's':
		return v == s.Seg[p.n].Sel
	case 't':
		image := r.image()
		copy(image[fxStack+16*p.n:], b[:10])
		r.cpu.LoadFX(image)
	case 'c':
		return r.setControl(p.n, v)
	case 'x':
		s.XMM[p.n] = [2]uint64{v, number(b[8:])}
	case 'y':
		s.YMMH[p.n] = [2]uint64{v, number(b[8:])}
	case 'm':
		image := r.image()
		binary.LittleEndian.PutUint32(image[24:], uint32(v))
		r.cpu.LoadFX(image)
	case 'o': // there is no system call to be begun anew
	case 'b':
		if v != s.Seg[p.n].Base {
			r.cpu.SetSegmentBase(p.n, v)
		}
	}
	return true
}

func (r x86Registers) setControl(n int, v uint64) bool {
	image := r.image()
	le := binary.LittleEndian
	switch n {
	case 0, 1:
		le.PutUint16(image[2*n:], uint16(v))
	case 2:
		var full byte
		for i := range 8 {
			if v>>(2*i)&3 != 3 {
				full |= 1 << i
			}
		}
		image[fxTag] = full
	case 4:
		le.PutUint32(image[fxIP:], uint32(v))
	case 6:
		le.PutUint32(image[fxDP:], uint32(v))
	case 7:
		le.PutUint16(image[fxOp:], uint16(v))
	}
	r.cpu.LoadFX(image)
	return true
}
