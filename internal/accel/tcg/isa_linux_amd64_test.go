package tcg_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	hostcpu "golang.org/x/sys/cpu"

	"rhea/internal/accel"
	"rhea/internal/guest/x86"
	"rhea/internal/jit/host"
)

// This file runs single instructions on the host's own processor and in both
// engines, with random operands, and compares all registers, flags and memory.

// isaState is what an instruction works on.
type isaState struct {
	gpr   [16]uint64 // RSP, RDI and R15 are not its own
	ymm   [16][4]uint64
	flags uint64
	mxcsr uint64
	mem   [128]byte
}

// Words of the host's frame.
const (
	isaGPR   = 1000
	isaYMM   = 1024
	isaFlags = 1100
	isaMXCSR = 1101
	isaGo    = 1102 // Go's MXCSR
	isaMem   = 1112 // on 64 bytes: see newIsaHost
)

// isaHost runs them natively.
type isaHost struct {
	ctx  *host.Context
	code *host.Code
	mem  int // word of the memory operand
}

func newIsaHost(t testing.TB) *isaHost {
	if !host.Available() || !hostcpu.X86.HasAVX2 || !hostcpu.X86.HasFMA || !hostcpu.X86.HasBMI2 || !hostcpu.X86.HasADX {
		t.Skip("the host's processor has no AVX2, FMA, BMI2 or ADX")
	}
	ctx, err := host.NewContext(0)
	if err != nil {
		t.Fatal(err)
	}
	code, err := host.NewCode(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ctx.Close(); code.Close() })
	h := &isaHost{ctx: ctx, code: code, mem: isaMem}
	for h.address()%64 != 0 {
		h.mem++
	}
	return h
}

func (h *isaHost) address() uint64 { return uint64(reflect.ValueOf(&h.ctx.Frame[h.mem]).Pointer()) }

// run executes insn on s.
func (h *isaHost) run(s *isaState, insn []byte) {
	f := h.ctx.Frame
	copy(f[isaGPR:], s.gpr[:])
	f[isaGPR+7] = h.address()
	for i, v := range s.ymm {
		copy(f[isaYMM+4*i:], v[:])
	}
	f[isaFlags], f[isaMXCSR], f[isaGo] = s.flags|2, s.mxcsr, 0x1f80
	for i := range len(s.mem) / 8 {
		f[h.mem+i] = binary.LittleEndian.Uint64(s.mem[8*i:])
	}
	var c []byte
	disp := func(op []byte, word int) { c = binary.LittleEndian.AppendUint32(append(c, op...), uint32(word*8)) }
	ymm := func(op byte) {
		for i := range 16 {
			disp([]byte{0xc4, byte(^i>>3&1)<<7 | 0x41, 0x7c, op, 0x87 | byte(i&7)<<3}, isaYMM+4*i)
		}
	}
	gpr := func(op byte) {
		for i := range 15 {
			if i != 4 {
				disp([]byte{0x49 | byte(i>>3)<<2, op, 0x87 | byte(i&7)<<3}, isaGPR+i)
			}
		}
	}
	disp([]byte{0x41, 0x0f, 0xae, 0x97}, isaMXCSR) // LDMXCSR
	ymm(0x10)
	disp([]byte{0x41, 0xff, 0xb7}, isaFlags) // PUSH
	c = append(c, 0x9d)                      // POPFQ
	gpr(0x8b)
	c = append(c, insn...)
	gpr(0x89)
	c = append(c, 0x9c)                      // PUSHFQ
	disp([]byte{0x41, 0x8f, 0x87}, isaFlags) // POP
	ymm(0x11)
	disp([]byte{0x41, 0x0f, 0xae, 0x9f}, isaMXCSR)
	disp([]byte{0x41, 0x0f, 0xae, 0x97}, isaGo)
	c = append(c, 0xc5, 0xf8, 0x77) // VZEROUPPER
	c = append(c, 0xfc)             // CLD
	c = append(c, 0x41, 0xc7, 0x47, 0x88, 1, 0, 0, 0)
	c = append(c, 0x41, 0xff, 0x67, 0xb0)
	copy(h.code.RW, c)
	id := h.ctx.Enter(h.code.RX)
	for id == host.ExitPreempted {
		id = h.ctx.Enter(h.code.RX)
	}
	if id != 1 {
		panic(fmt.Sprintf("exit %#x of % x", id, insn))
	}
	copy(s.gpr[:15], f[isaGPR:])
	s.gpr[7] = 0
	for i := range s.ymm {
		copy(s.ymm[i][:], f[isaYMM+4*i:])
	}
	s.flags, s.mxcsr = f[isaFlags], f[isaMXCSR]&0xffffffff
	for i := range len(s.mem) / 8 {
		binary.LittleEndian.PutUint64(s.mem[8*i:], f[h.mem+i])
	}
}

// runIsa executes insn on s in the rig.
func (r *rig) runIsa(s *isaState, insn []byte) string {
	r.enterLong()
	code := r.ram[pCode : pCode+64]
	for i := range code {
		code[i] = 0xcc
	}
	copy(code, insn)
	r.codeChanged()
	data := r.ram[pData+0x1000:]
	copy(data, s.mem[:])
	r.cpu.SetRegisters(func(st *x86.State) {
		st.CR4 |= 1<<18 | 1<<16
		st.XCR0 = 7
		st.GPR = s.gpr
		st.GPR[7] = vData
		for i, v := range s.ymm {
			st.XMM[i], st.YMMH[i] = [2]uint64{v[0], v[1]}, [2]uint64{v[2], v[3]}
		}
		st.MXCSR = s.mxcsr
	})
	r.cpu.SetEFLAGS(s.flags | 0x202)
	r.vector = -1
	exit, err := r.vcpu.Run(1000)
	if err != nil || exit != accel.Kicked || r.vector != 3 {
		return fmt.Sprintf("exit %v, exception %d, error %v", exit, r.vector, err)
	}
	st := r.cpu.Registers()
	s.gpr = st.GPR
	sp := int(st.GPR[4])
	s.gpr[4], s.gpr[7], s.gpr[15] = 0, 0, 0
	s.flags = uint64(get32(r.ram, sp+16))
	for i := range s.ymm {
		s.ymm[i] = [4]uint64{st.XMM[i][0], st.XMM[i][1], st.YMMH[i][0], st.YMMH[i][1]}
	}
	s.mxcsr = st.MXCSR
	copy(s.mem[:], data)
	return ""
}

// isaForm is an encoding but for its registers.
type isaForm struct {
	name string
	vex  bool
	code []byte // what precedes ModRM
	reg  byte
	mem  bool
	imm  int
	all  bool // ModRM.reg is a register
}

// isaNot are instructions whose results are not the same on all processors, or
// that need more than registers and a little memory.
var isaNot = strings.Fields("vrcpps vrcpss vrsqrtps vrsqrtss vldmxcsr vstmxcsr rcpps rcpss rsqrtps rsqrtss ldmxcsr stmxcsr vdpps vdppd dpps dppd")

// isaLegacy are those without a VEX prefix that are tried.
var isaLegacy = strings.Fields(`popcnt lzcnt tzcnt movbe crc32 adcx adox sha1rnds4 sha1nexte sha1msg1 sha1msg2 sha256rnds2 sha256msg1 sha256msg2
	aesenc aesenclast aesdec aesdeclast aesimc aeskeygenassist pclmulqdq pshufb palignr phaddw pmaddubsw pblendvb blendvps blendvpd ptest pmovsxbw
	pmovzxwd pextrb pextrd pextrq pinsrb pinsrd pinsrq insertps extractps roundps roundsd pcmpestri pcmpestrm pcmpistri pcmpistrm mpsadbw phminposuw
	cvtsi2sd cvtsi2ss cvttsd2si cvtss2si movq movd haddps addsubpd pabsb psignd pmulhrsw packusdw pminud pmaxsb pmulld pcmpgtq movddup cmpps cmpsd
	addps mulsd divps sqrtpd minss maxpd cvtps2pd cvtpd2dq shufps unpckhpd movmskpd pmovmskb`)

// isaForms asks the disassembler about all opcodes.
func isaForms() (forms []isaForm) {
	ask := func(f isaForm) {
		try := func(reg byte, extra int) (string, int) {
			modrm := reg<<3 | 0xc1
			if f.mem {
				modrm = reg<<3 | 7
			}
			text, n := x86.Disassemble(append(append(slices.Clone(f.code), modrm), make([]byte, extra)...), 0, 8)
			return text, n
		}
		text, n := try(f.reg, 12)
		name, _, _ := strings.Cut(text, " ")
		f.name = name
		f.imm = n - len(f.code) - 1
		if strings.Contains(text, " mm") { // none is given to them
			return
		}
		if name == "db" || slices.Contains(isaNot, name) || f.imm < 0 || f.imm > 1 || !f.vex && !slices.Contains(isaLegacy, name) {
			return
		}
		forms = append(forms, f)
	}
	for m := byte(1); m <= 3; m++ {
		for op := range 256 {
			for pp := byte(0); pp < 4; pp++ {
				for lw := byte(0); lw < 4; lw++ {
					for reg := range byte(8) {
						for _, mem := range []bool{true, false} {
							for _, v := range []byte{0x78, 0x70} { // without a second source, and with one
								ask(isaForm{vex: true, code: []byte{0xc4, 0xe0 | m, lw>>1<<7 | v | lw&1<<2 | pp, byte(op)}, reg: reg, mem: mem})
							}
						}
					}
				}
				escape := [][]byte{1: {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}}[m]
				prefix := [][]byte{{}, {0x66}, {0xf3}, {0xf2}}[pp]
				for _, rex := range []byte{0x40, 0x48} {
					for _, mem := range []bool{true, false} {
						code := slices.Concat(prefix, []byte{rex}, escape, []byte{byte(op)})
						ask(isaForm{code: code, reg: 0, mem: mem})
					}
				}
			}
		}
	}
	return forms
}

// instruction fills a form in with random registers.
func (f *isaForm) instruction(rnd *rand.Rand) []byte {
	c := slices.Clone(f.code)
	pick := func() byte {
		for {
			if n := byte(rnd.IntN(15)); n != 4 && n != 7 {
				return n
			}
		}
	}
	reg, rm, v := pick(), pick(), pick()
	fixed := f.vex && (c[1]&31 == 1 && c[3] >= 0x71 && c[3] <= 0x73 || c[1]&31 == 2 && c[3] == 0xf3)
	if fixed {
		reg = f.reg
	}
	switch {
	case f.vex:
		c[1] = c[1]&0x1f | 0x40 | ^reg>>3&1<<7 | ^rm>>3&1<<5
		if f.mem {
			c[1] |= 0x20
		}
		if c[2]&0x78 != 0x78 { // has one
			c[2] = c[2]&^0x78 | ^v&15<<3
		}
	default:
		i := slices.IndexFunc(c, func(b byte) bool { return b&0xf0 == 0x40 })
		c[i] |= reg>>3<<2 | rm>>3
		if f.mem {
			c[i] &^= 1
		}
	}
	if f.mem {
		if strings.Contains(f.name, "gather") {
			index := rm
			for index == reg || reg == v || index&1 != 0 || v&1 == 0 { // see random
				reg, v, index = pick(), pick(), pick()
			}
			c[1] = c[1]&0x1f | ^reg>>3&1<<7 | ^index>>3&1<<6 | 0x20
			c[2] = c[2]&^0x78 | ^v&15<<3
			return append(c, reg&7<<3|4, index&7<<3|7|byte(rnd.IntN(3))<<6)
		}
		c = append(c, 0x40|reg&7<<3|7, byte(rnd.IntN(3))*32)
	} else {
		c = append(c, 0xc0|reg&7<<3|rm&7)
	}
	for range f.imm {
		c = append(c, byte(rnd.Uint32()))
	}
	return c
}

// random is a state of which something may come.
func (s *isaState) random(rnd *rand.Rand, f *isaForm) {
	word := func() uint64 {
		switch rnd.IntN(10) {
		case 0:
			return 0
		case 1:
			return ^uint64(0)
		case 2:
			return math.Float64bits(rnd.NormFloat64() * 1000)
		case 3:
			return uint64(math.Float32bits(float32(rnd.NormFloat64()))) | uint64(math.Float32bits(float32(rnd.NormFloat64()*1e5)))<<32
		case 4: // numbers that are none, infinities, small ones
			list := []uint64{0x7ff0000000000000, 0xfff8000000000001, 0x7ff0000000000001, 1, 0x8000000000000000, 0x7fefffffffffffff, 0x7f8000007fc00001, 0x7f80000100000001, 0x00800000ff800000}
			return list[rnd.IntN(len(list))]
		case 5:
			return uint64(math.Float32bits(float32(rnd.IntN(64)-32)/4))*0x100000001 ^ uint64(rnd.IntN(4))
		case 6:
			return uint64(rnd.IntN(256)) | uint64(rnd.IntN(256))<<32
		}
		return rnd.Uint64()
	}
	for i := range s.gpr {
		s.gpr[i] = word()
	}
	s.gpr[4], s.gpr[7], s.gpr[15] = 0, 0, 0
	for i := range s.ymm {
		for j := range s.ymm[i] {
			s.ymm[i][j] = word()
			if strings.Contains(f.name, "gather") {
				s.ymm[i][j] = rnd.Uint64() & 0x8000000780000007 & [...]uint64{0x0000000700000007, 0x8000000080000000}[i&1]
				if i&1 == 0 && strings.Contains(f.name, "gatherq") {
					s.ymm[i][j] &= 7
				}
			}
		}
	}
	if strings.HasPrefix(f.name, "vcvtps2ph") {
		for i := range s.ymm {
			for j := range s.ymm[i] {
				one := func() uint64 { return uint64(rnd.Uint32())&0x807fffff | uint64(95+rnd.IntN(54))<<23 }
				if rnd.IntN(2) == 0 {
					s.ymm[i][j] = one() | one()<<32
				}
			}
		}
	}
	s.flags = rnd.Uint64()&0x8d5 | 2
	s.mxcsr = 0x1f80 | rnd.Uint64()&0xe07f
	if rnd.IntN(2) == 0 {
		s.mxcsr = 0x1f80
	}
	for i := range len(s.mem) / 8 {
		binary.LittleEndian.PutUint64(s.mem[8*i:], word())
	}
}

// isaFlags are the flags that are defined after an instruction.
func isaFlagsOf(name string) uint64 {
	switch name {
	case "andn", "blsr", "blsi", "blsmsk", "bzhi":
		return 0x8c1
	case "bextr":
		return 0x841
	case "lzcnt", "tzcnt":
		return 0x41
	}
	return 0x8d5
}

func (a *isaState) differs(b *isaState, flags uint64) string {
	for i := range a.gpr {
		if a.gpr[i] != b.gpr[i] {
			return fmt.Sprintf("register %d is %#x, want %#x", i, b.gpr[i], a.gpr[i])
		}
	}
	for i := range a.ymm {
		if a.ymm[i] != b.ymm[i] {
			return fmt.Sprintf("ymm%d is %016x, want %016x", i, b.ymm[i], a.ymm[i])
		}
	}
	switch {
	case (a.flags^b.flags)&flags != 0:
		return fmt.Sprintf("flags %#x, want %#x", b.flags&flags, a.flags&flags)
	case a.mxcsr != b.mxcsr:
		return fmt.Sprintf("mxcsr %#x, want %#x", b.mxcsr, a.mxcsr)
	case a.mem != b.mem:
		return fmt.Sprintf("memory % x, want % x", b.mem, a.mem)
	}
	return ""
}

// TestHostISA: instructions give what the host's processor gives.
func TestHostISA(t *testing.T) {
	forms := isaForms()
	names := map[string]bool{}
	for _, f := range forms {
		names[f.name] = true
	}
	t.Logf("%d forms, %d mnemonics", len(forms), len(names))
	for _, name := range append(strings.Fields(`vaddps vpaddb vfmadd213pd vfnmsub231ss vpermd vpgatherqq vmaskmovps vcvtph2ps vcvtps2ph vinsertf128
		vpsravd vpbroadcastb vpmovzxbq vptest vcmppd vblendvps andn blsr bextr bzhi pdep pext mulx rorx sarx`), isaLegacy...) {
		if !names[name] {
			t.Errorf("%s is not tried", name)
		}
	}
	eachEngine(t, func(t *testing.T) {
		h := newIsaHost(t)
		r := newLongRig(t, "max")
		rnd := rand.New(rand.NewPCG(1, 2))
		rounds := 8
		if testing.Short() {
			rounds = 2
		}
		bad := map[string]int{}
		first := map[string]string{}
		for range rounds {
			for i := range forms {
				f := &forms[i]
				insn := f.instruction(rnd)
				if text, n := x86.Disassemble(insn, 0, 8); n != len(insn) || strings.HasPrefix(text, "db") {
					continue
				}
				var s isaState
				s.random(rnd, f)
				want, got := s, s
				h.run(&want, insn)
				d := r.runIsa(&got, insn)
				if d == "" {
					d = want.differs(&got, isaFlagsOf(f.name))
				}
				if d != "" {
					if bad[f.name]++; first[f.name] == "" {
						text, _ := x86.Disassemble(insn, 0, 8)
						first[f.name] = fmt.Sprintf("%s (% x): %s; mxcsr %#x before", text, insn, d, s.mxcsr)
					}
				}
			}
		}
		var list []string
		for n := range bad {
			list = append(list, n)
		}
		sort.Strings(list)
		for _, n := range list {
			t.Errorf("%s: %d times: %s", n, bad[n], first[n])
		}
	})
}
