package tcg_test

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"rhea/internal/guest/x86"
)

// Exceptions.
const (
	noVector = 3 // the INT3 behind the code
	xUD      = 6
	xNM      = 7
	xGP      = 13
	xPF      = 14
	xMF      = 16
	xXM      = 19
)

// exec runs code (in hex, to be ended by an INT3) as a process, and returns
// the exception that ends it. EBX, EDI and ESI are vData, where 128 bytes are 0.
func (r *rig) exec(t *testing.T, code string, setup func(s *x86.State)) int {
	t.Helper()
	v := vector386{B: strings.ReplaceAll(code, " ", ""), M: strings.Repeat("00", 128), FL: "2"}
	keep := append([]byte(nil), r.ram[pData+0x1000:pData+0x3000]...)
	r.load(&v)
	copy(r.ram[pData+0x1000:], keep)
	r.cpu.SetRegisters(func(s *x86.State) {
		s.GPR[3], s.GPR[7], s.GPR[6] = vData, vData, vData
		s.FCW, s.FSW, s.FTop, s.FTW, s.MXCSR = 0x37f, 0, 0, 0, 0x1f80
		if setup != nil {
			setup(s)
		}
	})
	r.vector = -1
	if _, err := r.vcpu.Run(10000); err != nil {
		t.Fatal(err)
	}
	return r.vector
}

func (r *rig) data() []byte { return r.ram[pData+0x1000 : pData+0x3000] }

// randomFPU fills the x87 and SSE registers.
func randomFPU(rnd *rand.Rand, s *x86.State) {
	for i := range s.FPR {
		s.FPR[i] = [2]uint64{rnd.Uint64() | 1<<63, rnd.Uint64() & 0xffff}
		s.XMM[i] = [2]uint64{rnd.Uint64(), rnd.Uint64()}
	}
	s.FPR[3] = [2]uint64{}                // zero
	s.FPR[4] = [2]uint64{1, 0}            // denormal
	s.FPR[5] = [2]uint64{1 << 63, 0x7fff} // infinity
	s.FTW, s.FTop = 0b01111101, rnd.Uint64()&7
	s.FCW, s.FSW = 0x037f|rnd.Uint64()&0xc00, rnd.Uint64()&0x4700
	s.FIP, s.FDP, s.FCS, s.FDS, s.FOP = rnd.Uint64()&0xffffffff, rnd.Uint64()&0xffffffff, 0x1b, 0x23, rnd.Uint64()&0x7ff
	s.MXCSR = 0x1f80 | rnd.Uint64()&0xe03f
}

// fpuOf describes what an image keeps: the registers that are not empty, and
// all else.
func fpuOf(s *x86.State, pointers, sse bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cw %x sw %x top %d tw %x", s.FCW, s.FSW, s.FTop, s.FTW)
	for i, v := range s.FPR {
		if s.FTW>>i&1 != 0 {
			fmt.Fprintf(&b, " r%d %x", i, v)
		}
	}
	if pointers {
		fmt.Fprintf(&b, " ip %x:%x dp %x:%x", s.FCS, s.FIP, s.FDS, s.FDP)
	}
	if sse {
		fmt.Fprintf(&b, " fop %x mxcsr %x xmm %x", s.FOP, s.MXCSR, s.XMM[:8])
	}
	return b.String()
}

func TestX87Images(t *testing.T) { eachEngine(t, testX87Images) }

func testX87Images(t *testing.T) {
	r := newProtectedRig(t, "max")
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, x := range []struct {
		name, save, load string
		pointers, sse    bool
	}{
		{"FNSAVE", "dd 33", "dd 23", true, false},
		{"FNSAVE 16", "66 dd 33", "66 dd 23", false, false},
		{"FXSAVE", "0f ae 03", "0f ae 0b", true, true},
		{"FNSTENV", "d9 33", "d9 23", true, false},
	} {
		for range 20 {
			var in x86.State
			save := func(s *x86.State) { randomFPU(rnd, s); in = *s }
			if v := r.exec(t, x.save, save); v != noVector {
				t.Fatalf("%s: exception %d", x.name, v)
			}
			after := *r.cpu.Registers()
			switch {
			case strings.HasPrefix(x.name, "FNSAVE"):
				if after.FCW != 0x37f || after.FSW != 0 || after.FTop != 0 || after.FTW != 0 || after.FIP != 0 {
					t.Errorf("%s does not initialize: %s", x.name, fpuOf(&after, true, false))
				}
			case fpuOf(&after, true, true) != fpuOf(&in, true, true):
				t.Errorf("%s: %s\nfrom %s", x.name, fpuOf(&after, true, true), fpuOf(&in, true, true))
			}
			load := func(s *x86.State) {
				if x.name == "FNSTENV" {
					s.FPR = in.FPR
				}
			}
			if v := r.exec(t, x.load, load); v != noVector {
				t.Fatalf("%s back: exception %d", x.name, v)
			}
			after = *r.cpu.Registers()
			if got, want := fpuOf(&after, x.pointers, x.sse), fpuOf(&in, x.pointers, x.sse); got != want {
				t.Errorf("%s and back: %s\nwant %s", x.name, got, want)
			}
		}
	}
}

func TestX87Formats(t *testing.T) { eachEngine(t, testX87Formats) }

func testX87Formats(t *testing.T) {
	set := func(s *x86.State) {
		s.FPR = [8][2]uint64{{1 << 63, 0x3fff}, {}, {1, 0}, {1 << 63, 0x7fff}, {1, 0x3fff}}
		s.FTW, s.FTop = 0x1f, 6
		s.FCW, s.FSW = 0x37f, 0x4700
		s.FIP, s.FDP, s.FCS, s.FDS, s.FOP = 0x12345678, 0x9abcdef0, 0x1b, 0x23, 0x5a5
	}
	words := func(b []byte, size, n int) (w []uint32) {
		for i := range n {
			v := get32(b, i*size)
			if size == 2 {
				v &= 0xffff
			}
			w = append(w, v)
		}
		return w
	}
	p := newProtectedRig(t, "max")
	for code, want := range map[string][]uint32{
		// Tags: 1.0 valid, 0.0 zero, denormal, infinity and unnormal special.
		"d9 33":    {0xffff037f, 0xffff7700, 0xfffffea4, 0x12345678, 0x5a5001b, 0x9abcdef0, 0xffff0023},
		"66 d9 33": {0x037f, 0x7700, 0xfea4, 0x5678, 0x1b, 0xdef0, 0x23},
	} {
		if v := p.exec(t, code, set); v != noVector {
			t.Fatalf("%s: exception %d", code, v)
		}
		size := 4
		if strings.HasPrefix(code, "66") {
			size = 2
		}
		if got := words(p.data(), size, 7); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %x, want %x", code, got, want)
		}
		if cw := p.cpu.Registers().FCW; cw != 0x37f|0x3f {
			t.Errorf("%s leaves cw %x", code, cw)
		}
	}
	r := newRig(t, "max", 0x110000)
	for code, want := range map[string][]uint32{ // linear addresses: FCS*16 + FIP
		"\xd9\x37\xf4":     {0x037f, 0x7700, 0xfea4, 0x5828, 0x45a5, 0xe120, 0xc000},
		"\x66\xd9\x37\xf4": {0xffff037f, 0xffff7700, 0xfffffea4, 0xffff5828, 0x1234_5a5, 0xffffe120, 0x9abc_000},
	} {
		r.cpu.Reset()
		copy(r.ram[0x10000:], code)
		r.cpu.SetRegisters(func(s *x86.State) {
			set(s)
			for i := range s.Seg {
				s.Seg[i] = x86.Segment{Sel: 0x1000, Base: 0x10000, Limit: 0xffff, Attr: 0x9300}
			}
			s.IP, s.GPR[3] = 0, 0x200
		})
		r.vcpu.Run(1)
		size := 2
		if code[0] == 0x66 {
			size = 4
		}
		if got := words(r.ram[0x10200:], size, 7); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("% x: %x, want %x", code, got, want)
		}
	}
}

func TestX87Exceptions(t *testing.T) { eachEngine(t, testX87Exceptions) }

func testX87Exceptions(t *testing.T) {
	r := newProtectedRig(t, "max")
	s := r.cpu.Registers()
	unmask := func(bit uint64) func(*x86.State) { return func(s *x86.State) { s.FCW &^= bit } }
	for _, x := range []struct {
		name, code string
		setup      func(*x86.State)
		vector     int
		ip         uint32 // of the exception
		check      func() bool
	}{
		// FLD1, FLDZ, FDIVP, FNOP.
		{"#Z", "d9e8 d9ee def9 d9d0", unmask(4), xMF, 6, func() bool {
			return s.FSW == 0x8084 && s.FTop == 6 && s.FPR[7][1] == 0x3fff && s.FIP == vCode+4 && s.FOP == 0x6f9
		}},
		{"#Z, masked", "d9e8 d9ee def9 d9d0", nil, noVector, 8, func() bool {
			return s.FSW == 4 && s.FTop == 7 && s.FPR[7] == [2]uint64{1 << 63, 0x7fff}
		}},
		{"FNSTSW does not wait", "d9e8 d9ee def9 dfe0 dbe2 d9d0", unmask(4), noVector, 12, func() bool { return s.FSW == 0 }},
		{"WAIT waits", "d9e8 d9ee def9 90 9b", unmask(4), xMF, 7, func() bool { return true }},
		{"MMX waits", "d9e8 d9ee def9 0f77", unmask(4), xMF, 6, func() bool { return s.FTW != 0 }},
		{"underflow", "d9c1 d9d0", unmask(1), xMF, 2, func() bool { return s.FSW == 0x80c1 && s.FTop == 0 && s.FTW == 0 }},
		{"underflow, masked", "d9c1", nil, noVector, 2, func() bool {
			return s.FSW == 0x41 && s.FTop == 7 && s.FPR[7] == [2]uint64{0xc000000000000000, 0xffff}
		}},
		{"overflow", "d9e8 d9d0", func(s *x86.State) { s.FTW, s.FCW = 0xff, 0x37e }, xMF, 2, func() bool {
			return s.FSW == 0x82c1 && s.FTop == 0
		}},
		// FISTP dword [ebx] of a NaN: no store, no pop.
		{"no store", "db1b 90 d9d0", func(s *x86.State) {
			s.FPR[0], s.FTW, s.FCW = [2]uint64{0xc000000000000000, 0x7fff}, 1, 0x37e
			put32(r.data(), 0, 0x11111111)
		}, xMF, 3, func() bool {
			return get32(r.data(), 0) == 0x11111111 && s.FTW == 1 && s.FTop == 0 && s.FSW == 0x8081 && s.FIP == vCode && s.FDP == vData
		}},
		{"store, masked", "db1b", func(s *x86.State) {
			s.FPR[0], s.FTW = [2]uint64{0xc000000000000000, 0x7fff}, 1
		}, noVector, 2, func() bool {
			return get32(r.data(), 0) == 0x80000000 && s.FTW == 0 && s.FTop == 1 && s.FSW == 1
		}},
		// 3.5 as an integer: Inexact is unmasked, but the store is done.
		{"#P", "df1b d9d0", func(s *x86.State) {
			s.FPR[0], s.FTW, s.FCW = [2]uint64{0xe000000000000000, 0x4000}, 1, 0x35f
		}, xMF, 2, func() bool { return get32(r.data(), 0)&0xffff == 4 && s.FTop == 1 && s.FSW == 0x82a0 }},
		// Largest * 2 with overflow unmasked: the exponent is wrapped.
		{"#O", "d8c0 d9d0", func(s *x86.State) {
			s.FPR[0], s.FTW, s.FCW = [2]uint64{1 << 63, 0x7ffe}, 1, 0x377
		}, xMF, 2, func() bool { return s.FPR[0] == [2]uint64{1 << 63, 0x7fff - 0x6000} && s.FSW == 0x8088 }},
		{"FLDCW unmasks", "d9e8 d9ee def9 d92b d9d0", func(s *x86.State) { put32(r.data(), 0, 0x37b) }, xMF, 8,
			func() bool { return s.FSW == 0x8084 }},
		// A fault of the store finds nothing done: FSTP qword beyond the data.
		{"page fault", "dd1b", func(s *x86.State) {
			s.GPR[3], s.FPR[0], s.FTW = vData+0x1ffc, [2]uint64{1 << 63, 0x3fff}, 1
		}, xPF, 0, func() bool { return s.FTW == 1 && s.FTop == 0 && get32(r.data(), 0x1ffc) == 0 }},
		{"page fault, 80 bits", "db3b", func(s *x86.State) {
			s.GPR[3], s.FPR[0], s.FTW = vData+0x1ff8, [2]uint64{1 << 63, 0x3fff}, 1
		}, xPF, 0, func() bool { return s.FTW == 1 && s.FTop == 0 && get32(r.data(), 0x1ffc) == 0 }},
		{"page fault, load", "db2b", func(s *x86.State) { s.GPR[3] = vData + 0x1ff8 }, xPF, 0, func() bool { return s.FTW == 0 && s.FTop == 0 }},
	} {
		clear(r.data())
		v := r.exec(t, x.code, x.setup)
		ip, _ := r.frame()
		if v == noVector {
			ip--
		}
		if v != x.vector || ip != vCode+x.ip || !x.check() {
			t.Errorf("%s: exception %d at %#x, want %d at %#x; sw %x top %d tw %x r0 %x r7 %x fip %x fop %x mem %x", x.name, v, ip, x.vector, vCode+x.ip,
				s.FSW, s.FTop, s.FTW, s.FPR[0], s.FPR[7], s.FIP, s.FOP, r.data()[:8])
		}
	}
}

// TestFERR: with CR0.NE clear an x87 error is an interrupt of the board's.
func TestFERR(t *testing.T) { eachEngine(t, testFERR) }

func testFERR(t *testing.T) {
	r := newProtectedRig(t, "max")
	s := r.cpu.Registers()
	var levels []bool
	interrupt := false
	r.ferr = func(level bool) {
		levels = append(levels, level)
		if interrupt {
			r.cpu.SetINTR(level)
		}
	}
	r.cpu.SetIntAck(func() int {
		r.cpu.SetINTR(false)
		return 0x1d
	})
	const code = "d9e8 d9ee def9 90 d9e8 d9e8 dbe2" // FLD1, FLDZ, FDIVP, NOP, FLD1, FLD1, FNCLEX
	set := func(s *x86.State) { s.CR0 &^= 0x20; s.FCW = 0x37b; s.Flags |= 0x200 }
	if v := r.exec(t, code, set); v != noVector || s.FTop != 4 || fmt.Sprint(levels) != "[true true false]" {
		t.Errorf("ignored: exception %d, top %d, FERR %v", v, s.FTop, levels)
	}
	levels, interrupt = nil, true
	v := r.exec(t, code, set)
	if ip, _ := r.frame(); v != 0x1d || ip != vCode+7 || s.FTop != 6 || fmt.Sprint(levels) != "[true]" {
		t.Errorf("interrupt %#x at %#x, top %d, FERR %v", v, ip, s.FTop, levels)
	}
}

func TestFPUAvailable(t *testing.T) { eachEngine(t, testFPUAvailable) }

func testFPUAvailable(t *testing.T) {
	const ts, em, mp = 8, 4, 2
	r := newProtectedRig(t, "max")
	for _, x := range []struct {
		code   string
		cr0    uint64
		cr4    uint64
		vector int
	}{
		{"d9e8", 0, 0x600, noVector}, {"d9e8", ts, 0x600, xNM}, {"d9e8", em, 0x600, xNM}, {"dbe3", em, 0x600, xNM},
		{"9b", ts, 0x600, xNM}, {"9b", em, 0x600, noVector}, {"9b", mp, 0x600, noVector},
		{"0f6fc1", 0, 0, noVector}, {"0f6fc1", ts, 0, xNM}, {"0f6fc1", em, 0, xUD}, {"0f77", ts, 0, xNM}, {"0f77", em, 0, xUD},
		{"0fe0c1", 0, 0, noVector}, // PAVGB on MMX does not need OSFXSR
		{"0f58c1", 0, 0x600, noVector}, {"0f58c1", 0, 0x400, xUD}, {"0f58c1", em, 0x600, xUD}, {"0f58c1", ts, 0x600, xNM},
		{"660f6fc1", ts, 0x600, xNM}, {"660f6fc1", ts, 0x400, xUD}, {"f20fd6c1", 0, 0x400, xUD},
		{"0fae03", ts, 0x600, xNM}, {"0fae03", em, 0x600, xNM}, {"0fae03", 0, 0x400, noVector},
		{"0faef8", em | ts, 0, noVector}, {"0f1803", em | ts, 0, noVector}, {"0fc303", em | ts, 0, noVector},
		{"0fae1b", 0, 0x400, xUD}, {"0fae1b", ts, 0x600, xNM},
	} {
		clear(r.data())
		v := r.exec(t, x.code, func(s *x86.State) {
			s.CR0 = s.CR0&^(ts|em|mp) | x.cr0
			if x.code == "9b" && x.cr0&ts != 0 {
				s.CR0 |= mp
			}
			s.CR4 = x.cr4
		})
		if v != x.vector {
			t.Errorf("%s with CR0 %x, CR4 %x: exception %d, want %d", x.code, x.cr0, x.cr4, v, x.vector)
		}
	}
	for model, code := range map[string]string{
		"pentium": "0f58c1", "pentium2": "0f58c1", "pentium3": "660f58c1", "486": "0f6fc1", "max,-fxsr": "0fae03",
		"max,-sse3": "f20f7cc1", "max,-ssse3": "0f3800c1", "max,-sse4.1": "660f3817c1", "max,-movbe": "0f38f003", "max,-popcnt": "f30fb8c1",
		"max,-cmov": "dac1",
	} {
		r := newProtectedRig(t, model)
		if v := r.exec(t, code, nil); v != xUD {
			t.Errorf("%s on %s: exception %d", code, model, v)
		}
	}
	// Without LZCNT and TZCNT the prefix means nothing.
	r = newProtectedRig(t, "max,-lzcnt,-tzcnt")
	if v := r.exec(t, "f30fbdc2 f30fbcca", func(s *x86.State) { s.GPR[2] = 0x10 }); v != noVector || r.cpu.Registers().GPR[0] != 4 || r.cpu.Registers().GPR[1] != 4 {
		t.Errorf("BSR with a prefix: exception %d, %x", v, r.cpu.Registers().GPR[:2])
	}
	// Without an x87 nothing answers.
	r = newProtectedRig(t, "max,-fpu")
	if v := r.exec(t, "dbe3 dd3b 9b dfe0", func(s *x86.State) { s.GPR[0] = 0x5a5a }); v != noVector || r.cpu.Registers().GPR[0] != 0x5a5a {
		t.Errorf("no x87: exception %d, eax %x", v, r.cpu.Registers().GPR[0])
	}
}

func TestSSEExceptions(t *testing.T) { eachEngine(t, testSSEExceptions) }

func testSSEExceptions(t *testing.T) {
	r := newProtectedRig(t, "max")
	s := r.cpu.Registers()
	f32 := func(a, b float32) uint64 { return uint64(math.Float32bits(a)) | uint64(math.Float32bits(b))<<32 }
	old := [2]uint64{f32(1, 2), f32(3, 4)}
	set := func(mxcsr uint64, src [2]uint64) func(s *x86.State) {
		return func(s *x86.State) { s.XMM[0], s.XMM[1], s.MXCSR = old, src, mxcsr }
	}
	for _, x := range []struct {
		name, code string
		setup      func(*x86.State)
		vector     int
		mxcsr      uint64
		changed    bool
	}{
		{"DIVPS", "0f5ec1", set(0x1f80, [2]uint64{f32(1, 0), f32(2, 3)}), noVector, 0x1fa4, true},
		{"DIVPS, ZM clear", "0f5ec1", set(0x1d80, [2]uint64{f32(1, 0), f32(2, 3)}), xXM, 0x1d84, false},
		{"DIVPS, PM clear", "0f5ec1", set(0x0f80, [2]uint64{f32(1, 0), f32(2, 3)}), xXM, 0x0fa4, false},
		{"DIVPS, OSXMMEXCPT clear", "0f5ec1", func(s *x86.State) {
			set(0x1d80, [2]uint64{f32(1, 0), f32(2, 3)})(s)
			s.CR4 = 0x200
		}, xUD, 0x1d84, false},
		{"UCOMISS, IM clear", "0f2ec1", set(0x1f00, [2]uint64{0x7fa00000, 0}), xXM, 0x1f01, false},
		{"CVTSS2SI, IM clear", "f30f2dc1", set(0x1f00, [2]uint64{f32(1e30, 0), 0}), xXM, 0x1f01, false},
		{"ADDPS x,x, PM clear", "0f58c0", set(0x0f80, [2]uint64{}), noVector, 0x0f80, true},
		{"ADDSS, denormal with DAZ", "f30f58c1", set(0x1fc0, [2]uint64{1, 0}), noVector, 0x1fc0, false},
		{"ADDSS, denormal", "f30f58c1", set(0x1f80, [2]uint64{1, 0}), noVector, 0x1fa2, false},
		{"MULSS, tiny with FZ", "f30f59c1", func(s *x86.State) {
			set(0x9f80, [2]uint64{f32(1e-30, 0), 0})(s)
			s.XMM[0][0] = f32(1e-10, 2)
		}, noVector, 0x9fb0, true},
		{"LDMXCSR", "0fae13", func(s *x86.State) { put32(r.data(), 0, 0xffff) }, noVector, 0xffff, false},
		{"LDMXCSR, reserved", "0fae13", func(s *x86.State) { put32(r.data(), 0, 0x10000) }, xGP, 0x1f80, false},
		{"FXRSTOR, reserved", "0fae0b", func(s *x86.State) {
			clear(r.data())
			put32(r.data(), 24, 0x10000)
		}, xGP, 0x1f80, false},
		{"MOVAPS, unaligned", "0f2803", func(s *x86.State) { s.GPR[3] += 8 }, xGP, 0x1f80, false},
		{"MOVUPS, unaligned", "0f1003", func(s *x86.State) { s.GPR[3] += 8 }, noVector, 0x1f80, true},
		{"PADDB, unaligned", "660ffc03", func(s *x86.State) { s.GPR[3] += 8 }, xGP, 0x1f80, false},
		{"FXSAVE, unaligned", "0fae03", func(s *x86.State) { s.GPR[3] += 8 }, xGP, 0x1f80, false},
		{"MOVLPD of a register", "660f12c1", nil, xUD, 0x1f80, false},
	} {
		v := r.exec(t, x.code, func(s *x86.State) {
			s.XMM[0] = old
			if x.setup != nil {
				x.setup(s)
			}
		})
		if v != x.vector || s.MXCSR != x.mxcsr || s.XMM[0] != old != x.changed {
			t.Errorf("%s: exception %d, mxcsr %x, xmm0 %x; want %d, %x, changed %v", x.name, v, s.MXCSR, s.XMM[0], x.vector, x.mxcsr, x.changed)
		}
		if ip, _ := r.frame(); v != noVector && ip != vCode {
			t.Errorf("%s: exception at %#x", x.name, ip)
		}
	}
	// MASKMOVDQU [edi], xmm0 by xmm1.
	r.exec(t, "660ff7c1", func(s *x86.State) {
		copy(r.data(), strings.Repeat("\xee", 32))
		s.XMM[0], s.XMM[1] = [2]uint64{0x0807060504030201, 0x100f0e0d0c0b0a09}, [2]uint64{0x80, 0xff00000000000000}
		s.GPR[7] = vData + 3
	})
	if b := r.data()[:20]; string(b) != "\xee\xee\xee\x01"+strings.Repeat("\xee", 14)+"\x10\xee" {
		t.Errorf("MASKMOVDQU: % x", b)
	}
}

// TestMMX runs vectors captured from a processor: instruction (with the
// register forms' operands MM0, MM1, XMM0, XMM1, EAX; memory at EBX or EDI), then
// before it MM0 MM1 XMM0 XMM1 MXCSR memory EAX, and behind "=" MM0 XMM0 MXCSR
// memory EAX.
func TestMMX(t *testing.T) { eachEngine(t, testMMX) }

func testMMX(t *testing.T) {
	f, err := os.Open("testdata/mmx.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := newProtectedRig(t, "max")
	s := r.cpu.Registers()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		w := strings.Fields(sc.Text())
		if w[0] == "#" {
			continue
		}
		n++
		var mem uint64
		hex := func(i int, p ...*uint64) { // high half first
			if x := w[i]; x != "-" {
				for _, q := range p {
					k := min(16, len(x))
					fmt.Sscanf(x[:k], "%x", q)
					x = x[k:]
				}
			}
		}
		clear(r.data())
		v := r.exec(t, w[0], func(s *x86.State) {
			s.FTop, s.FTW, s.MXCSR = 5, 0, 0x1f80
			s.FPR = [8][2]uint64{}
			hex(1, &s.FPR[0][0])
			hex(2, &s.FPR[1][0])
			hex(3, &s.XMM[0][1], &s.XMM[0][0])
			hex(4, &s.XMM[1][1], &s.XMM[1][0])
			hex(5, &s.MXCSR)
			hex(6, &mem)
			hex(7, &s.GPR[0])
			putLE64(r.data(), mem)
		})
		mm, xmm, mxcsr := s.FPR[0][0], s.XMM[0], s.MXCSR
		eax := s.GPR[0]
		wantMem, wantEAX := mem, eax
		hex(9, &mm)
		hex(10, &xmm[1], &xmm[0])
		hex(11, &mxcsr)
		hex(12, &wantMem)
		hex(13, &wantEAX)
		top, tw := uint64(0), uint64(0xff)
		if w[0] == "0f77" {
			top, tw = 5, 0
		}
		if v != noVector || mm != s.FPR[0][0] || xmm != s.XMM[0] || mxcsr != s.MXCSR || wantMem != le64(r.data()) || wantEAX != eax ||
			s.FTop != top || s.FTW != tw {
			t.Errorf("%s\nexception %d: mm %016x xmm %016x mxcsr %x mem %x eax %x top %d tw %x",
				sc.Text(), v, s.FPR[0][0], s.XMM[0], s.MXCSR, le64(r.data()), eax, s.FTop, s.FTW)
		}
	}
	if n < 500 {
		t.Errorf("%d vectors", n)
	}
	// The exponents: MM registers seen as numbers are negative NaNs or such.
	r.exec(t, "0f6ed8 dbe9", func(s *x86.State) { s.FPR[3], s.GPR[0] = [2]uint64{1, 2}, 7 }) // MOVD mm3, eax
	if s.FPR[3] != [2]uint64{7, 0xffff} || s.FTW != 0xff {
		t.Errorf("MM3 is %x, tw %x", s.FPR[3], s.FTW)
	}
	// The address is [edi] for MASKMOVQ; it was checked above. FILD after EMMS works.
	if v := r.exec(t, "0f6ed8 0f77 d9e8", nil); v != noVector || s.FTW != 0x80 || s.FSW != 0 {
		t.Errorf("after EMMS: exception %d, tw %x sw %x", v, s.FTW, s.FSW)
	}
}

// TestRandomOpcodes: whatever follows these opcodes, nothing panics.
func TestRandomOpcodes(t *testing.T) { eachEngine(t, testRandomOpcodes) }

func testRandomOpcodes(t *testing.T) {
	r := newProtectedRig(t, "max")
	rnd := rand.New(rand.NewPCG(7, 8))
	prefixes := []string{"", "66", "f3", "f2", "67", "66f2", "f0", "64"}
	opcodes := []string{"0f", "0f38", "0f3a", "d8", "d9", "da", "db", "dc", "dd", "de", "df", "0fae", "0fc7"}
	n := 20000
	if testing.Short() {
		n = 2000
	}
	for range n {
		code := prefixes[rnd.IntN(len(prefixes))] + opcodes[rnd.IntN(len(opcodes))] + fmt.Sprintf("%016x", rnd.Uint64())
		r.exec(t, code, func(s *x86.State) {
			randomFPU(rnd, s)
			s.FCW &^= rnd.Uint64() & 0x3f
			s.MXCSR &^= rnd.Uint64() & 0x1f80
			for i := range 8 {
				s.GPR[i] = vData + rnd.Uint64N(0x1000)
			}
		})
		if s := r.cpu.Registers(); s.FTop > 7 || s.FTW > 0xff || s.FCW&^0x1f7f != 0 || s.FSW&(7<<11) != 0 || s.FSW>>16 != 0 || s.MXCSR>>16 != 0 {
			t.Fatalf("%s leaves %s", code, fpuOf(s, true, false))
		}
	}
}

// TestX87OwnCode: an x87 store that changes the code behind it is done once.
func TestX87OwnCode(t *testing.T) { eachEngine(t, testX87OwnCode) }

func testX87OwnCode(t *testing.T) {
	r := newRig(t, "max", 0x110000)
	s := r.cpu.Registers()
	for name, store := range map[string]string{"FSTP m32": "\xd9\x5d\x07", "FSTP m64": "\xdd\x5d\x07", "FSTP m80": "\xdb\x7d\x07"} {
		// FLDZ, FLDZ, the store, of zeros: ADD [BX+SI], AL.
		code := "\xd9\xee\xd9\xee" + store + strings.Repeat("\x40", 12) + "\xeb\xfe" // INC AX, JMP $
		r.cpu.Reset()
		copy(r.ram[0x10000:], code)
		r.vcpu.FlushCode()
		r.cpu.SetRegisters(func(s *x86.State) {
			for i := range s.Seg {
				s.Seg[i] = x86.Segment{Sel: 0x1000, Base: 0x10000, Limit: 0xffff, Attr: 0x9300}
			}
			s.FCW, s.FTW, s.IP, s.GPR[0], s.GPR[3] = 0x37f, 0, 0, 0, 0x200
		})
		over := map[string]uint64{"FSTP m32": 4, "FSTP m64": 8, "FSTP m80": 10}[name]
		want := 12 - over
		r.vcpu.Run(5000) // long enough for units
		if s.FTop != 7 || s.FTW != 0x80 || s.FSW != 0 || s.GPR[0] != want || s.IP != uint64(len(code)-2) {
			t.Errorf("%s: top %d tw %x sw %x ax %x ip %x", name, s.FTop, s.FTW, s.FSW, s.GPR[0], s.IP)
		}
	}
}
