package ir

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// A Vec is an operation on vectors that lie in the frame, in place: slot Dst
// becomes Kind(Dst, Src, Imm). It is what the helper it names does when that
// gets the operand (a constant): an engine that does not know the kind calls
// the helper (Unit.CallVectors). Nothing but the words of Dst changes, and, if
// the kind depends on the floating-point environment, Slots.FPStatus. A kind
// with a result (of type I64) changes nothing but the latter.
//
// The front end emits a kind that depends on the environment only where no
// exception is unmasked, so that a Vec never stops.
type Vector struct {
	Kind     VecKind
	Dst, Src Slot
	Imm      uint8
	// Narrow: operands are 64 bits, as of MMX registers, and so are both
	// places. Some kinds have one narrow operand in any case.
	Narrow bool
	Helper int
}

// VecKind is a number of an entry in the table of kinds.
type VecKind uint16

// VecFlags say what is special about a kind.
type VecFlags uint8

// The flags.
const (
	// VecFP: depends on and changes the environment in Slots.FPStatus.
	VecFP VecFlags = 1 << iota
	// VecResult: gives a value and leaves Dst alone.
	VecResult
	// VecSrc64: at most 64 bits of Src are read.
	VecSrc64
	// VecDst64: only 64 bits are written.
	VecDst64
)

// vecKind is an entry of the table.
type vecKind struct {
	name  string
	flags VecFlags
}

// vecGroups are the kinds by what they have in common. The names are those of
// the SSE instructions.
var vecGroups = []struct {
	flags VecFlags
	names string
}{
	{0, `PADDB PADDW PADDD PADDQ PSUBB PSUBW PSUBD PSUBQ PADDSB PADDSW PADDUSB PADDUSW PSUBSB PSUBSW PSUBUSB PSUBUSW
		PCMPEQB PCMPEQW PCMPEQD PCMPGTB PCMPGTW PCMPGTD PMULLW PMULHW PMULHUW PMULUDQ PMADDWD PSADBW PAVGB PAVGW
		PMINUB PMAXUB PMINSW PMAXSW PSLLDQ PSRLDQ PUNPCKLBW PUNPCKLWD PUNPCKLDQ UNPCKLPS PUNPCKHBW PUNPCKHWD PUNPCKHDQ UNPCKHPS
		PUNPCKLQDQ PUNPCKHQDQ UNPCKLPD UNPCKHPD PACKSSWB PACKUSWB PACKSSDW PSHUFW PSHUFD PSHUFLW PSHUFHW SHUFPS SHUFPD
		PAND PANDN POR PXOR ANDPS ANDNPS ORPS XORPS MOVLHPS MOVHLPS
		PSLLWI PSLLDI PSLLQI PSRLWI PSRLDI PSRLQI PSRAWI PSRADI
		MOVSLDUP MOVSHDUP PSHUFB PALIGNR PHADDW PHADDD PHADDSW PHSUBW PHSUBD PHSUBSW PMADDUBSW PMULHRSW
		PSIGNB PSIGNW PSIGND PABSB PABSW PABSD PMULDQ PMULLD PCMPEQQ PCMPGTQ PMINSB PMINSD PMINUW PMINUD
		PMAXSB PMAXSD PMAXUW PMAXUD PHMINPOSUW PACKUSDW BLENDPS PBLENDW MPSADBW PCLMULQDQ
		AESENC AESENCLAST AESDEC AESDECLAST AESIMC AESKEYGENASSIST INSERTPS RCPPS RSQRTPS`},
	{VecSrc64, `PSLLW PSLLD PSLLQ PSRLW PSRLD PSRLQ PSRAW PSRAD
		PMOVSXBW PMOVSXBD PMOVSXBQ PMOVSXWD PMOVSXWQ PMOVSXDQ PMOVZXBW PMOVZXBD PMOVZXBQ PMOVZXWD PMOVZXWQ PMOVZXDQ
		MOVLPD MOVHPD MOVDDUP MOVSS MOVSD RCPSS RSQRTSS CVTDQ2PD CVTPI2PD CVTSI2SD`},
	{VecFP, `ADDPS ADDPD SUBPS SUBPD MULPS MULPD DIVPS DIVPD SQRTPS SQRTPD MINPS MINPD MAXPS MAXPD CMPPS CMPPD
		CVTPS2DQ CVTTPS2DQ CVTPD2DQ CVTTPD2DQ CVTDQ2PS CVTPD2PS HADDPS HADDPD HSUBPS HSUBPD ADDSUBPS ADDSUBPD
		DPPS DPPD ROUNDPS ROUNDPD`},
	{VecFP | VecSrc64, `ADDSS ADDSD SUBSS SUBSD MULSS MULSD DIVSS DIVSD SQRTSS SQRTSD MINSS MINSD MAXSS MAXSD CMPSS CMPSD
		CVTPI2PS CVTSI2SS CVTSI2SSQ CVTSI2SDQ CVTPS2PD CVTSS2SD CVTSD2SS ROUNDSS ROUNDSD`},
	{VecFP | VecDst64 | VecSrc64, `CVTPS2PI CVTTPS2PI`},
	{VecFP | VecDst64, `CVTPD2PI CVTTPD2PI`},
	{VecResult, `PMOVMSKB MOVMSKPS MOVMSKPD`},
	{VecFP | VecResult | VecSrc64, `CVTSS2SI CVTSD2SI CVTTSS2SI CVTTSD2SI CVTSS2SIQ CVTSD2SIQ CVTTSS2SIQ CVTTSD2SIQ UCOMISS UCOMISD COMISS COMISD`},
}

// vecTable is the kinds, and their numbers by name. It is made when it is first
// asked for: a process that has just begun has no time to lose.
var vecTable = sync.OnceValues(func() ([]vecKind, map[string]VecKind) {
	var list []vecKind
	byName := map[string]VecKind{}
	for _, g := range vecGroups {
		for _, n := range strings.Fields(g.names) {
			byName[n] = VecKind(len(list))
			list = append(list, vecKind{n, g.flags})
		}
	}
	return list, byName
})

func vecKinds() []vecKind {
	list, _ := vecTable()
	return list
}

// NumVecKinds is the number of kinds.
func NumVecKinds() int { return len(vecKinds()) }

// VecByName finds a kind.
func VecByName(name string) (VecKind, bool) {
	_, byName := vecTable()
	k, ok := byName[name]
	return k, ok
}

// Flags returns what is special about k.
func (k VecKind) Flags() VecFlags { return vecKinds()[k].flags }
func (k VecKind) String() string  { return vecKinds()[k].name }

// Packed packs v into an Inst's Imm.
func (v Vector) Packed() uint64 {
	r := uint64(v.Kind) | uint64(v.Dst)<<10 | uint64(v.Src)<<20 | uint64(v.Imm)<<30 | uint64(v.Helper)<<40
	if v.Narrow {
		r |= 1 << 38
	}
	return r
}

// VectorOf unpacks it.
func VectorOf(imm uint64) Vector {
	return Vector{
		Kind: VecKind(imm & 0x3ff), Dst: Slot(imm >> 10 & 0x3ff), Src: Slot(imm >> 20 & 0x3ff), Imm: uint8(imm >> 30),
		Narrow: imm>>38&1 != 0, Helper: int(imm >> 40),
	}
}

// Vec emits a Vec; arg is what the helper gets. The caller forgets what
// changes.
func (b *Builder) Vec(t Type, v Vector, arg uint64) Val {
	return b.Emit(Inst{Op: Vec, Type: t, Args: [4]Val{b.Const(I64, arg)}, Imm: v.Packed()})
}

// CallHelper makes a Vec or FPU a call of its helper.
func (in *Inst) CallHelper() { in.Op, in.Imm = Call, CallImm(int(in.Imm>>40), NoStop) }

// CallVectors makes calls of those Vecs that an engine does not do itself.
func (u *Unit) CallVectors(does func(v Vector) bool) {
	for i := range u.Insts {
		if in := &u.Insts[i]; in.Op == Vec {
			if does == nil || !does(VectorOf(in.Imm)) {
				in.CallHelper()
			}
		}
	}
}

// text is the printed form: KIND:helper:dst:src:imm, and :n if it is narrow.
func (v Vector) text(s *Slots) string {
	t := fmt.Sprintf("%s:h%d:%s:%s:%#x", v.Kind, v.Helper, s.Name(v.Dst), s.Name(v.Src), v.Imm)
	if v.Narrow {
		t += ":n"
	}
	return t
}

func parseVector(text string, s *Slots) (v Vector, ok bool) {
	f := strings.Split(text, ":")
	if len(f) < 5 || len(f) == 6 && f[5] != "n" {
		return v, false
	}
	var okKind, okDst, okSrc bool
	var err1, err2 error
	v.Kind, okKind = VecByName(f[0])
	v.Helper, err1 = strconv.Atoi(strings.TrimPrefix(f[1], "h"))
	v.Dst, okDst = s.Find(f[2])
	v.Src, okSrc = s.Find(f[3])
	imm, err2 := strconv.ParseUint(f[4], 0, 8)
	v.Imm, v.Narrow = uint8(imm), len(f) == 6
	return v, okKind && okDst && okSrc && err1 == nil && err2 == nil
}

func checkVector(in *Inst) error {
	v := VectorOf(in.Imm)
	switch {
	case int(v.Kind) >= len(vecKinds()):
		return fmt.Errorf("no such kind")
	case v.Dst >= TempBase || v.Src >= TempBase:
		return fmt.Errorf("no slot %d", max(v.Dst, v.Src))
	case (v.Kind.Flags()&VecResult != 0) != (in.Type == I64):
		return want("result", in.Type)
	}
	return nil
}
