package amd64

import "rhea/internal/ir"

// vecEnc says how the host does a kind of ir.Vec.
type vecEnc struct {
	op    opcode
	how   vecHow
	group uint8 // of a shift by a constant: /group
}

// vecHow are the peculiarities of an instruction.
type vecHow uint16

const (
	hasImm   vecHow = 1 << iota
	over            // the destination is not read
	smallMem        // its memory operand has 64 bits or less
	packs           // joins halves of both operands: of 64-bit ones differently
	high            // takes high halves: likewise
	wideOnly        // its form on 64 bits is another operation
	imm3            // three bits of the immediate count
	shiftImm        // a shift by a constant
	toInt           // gives an integer
	compares        // gives flags
	fromInt         // the source is an integer of 32 bits
	partial         // gives half a vector: CVTPI2PS
	regOnly         // its form with memory is another operation
	known           // the host has it
)

// feature is a set of instructions of the host.
type feature uint8

const (
	baseline feature = iota
	sse3
	ssse3
	sse41
	sse42
	aes
	pclmul
)

// Features says what the host has beyond SSE2.
type Features struct{ SSE3, SSSE3, SSE41, SSE42, AES, PCLMULQDQ bool }

func (f *Features) has(x feature) bool {
	return [...]bool{true, f.SSE3, f.SSSE3, f.SSE41, f.SSE42, f.AES, f.PCLMULQDQ}[x]
}

func op3A(b byte) opcode { return map3A<<8 | opcode(b) }

// vecTable lists the instructions by what they have in common. RCPPS and its
// like are not here: their results differ between hosts. Nor are DPPS and
// DPPD, whose order of operations is the host's own.
func vecTable(f *Features) []vecEnc {
	t := make([]vecEnc, ir.NumVecKinds())
	add := func(need feature, how vecHow, op opcode, name string) {
		k, ok := ir.VecByName(name)
		if !ok {
			panic("BUG: amd64: no vector operation " + name)
		}
		if f.has(need) {
			t[k] = vecEnc{op: op, how: how | known}
		}
	}
	type list map[string]byte
	all := func(need feature, how vecHow, op func(b byte) opcode, l list) {
		for name, b := range l {
			add(need, how, op(b), name)
		}
	}
	p66 := func(b byte) opcode { return op0F(b) | pfx66 }
	pF3 := func(b byte) opcode { return op0F(b) | pfxF3 }
	pF2 := func(b byte) opcode { return op0F(b) | pfxF2 }
	p38 := func(b byte) opcode { return op38(b) | pfx66 }
	p3A := func(b byte) opcode { return op3A(b) | pfx66 }

	all(baseline, 0, p66, list{
		"PADDB": 0xfc, "PADDW": 0xfd, "PADDD": 0xfe, "PADDQ": 0xd4, "PSUBB": 0xf8, "PSUBW": 0xf9, "PSUBD": 0xfa, "PSUBQ": 0xfb,
		"PADDSB": 0xec, "PADDSW": 0xed, "PADDUSB": 0xdc, "PADDUSW": 0xdd, "PSUBSB": 0xe8, "PSUBSW": 0xe9, "PSUBUSB": 0xd8, "PSUBUSW": 0xd9,
		"PCMPEQB": 0x74, "PCMPEQW": 0x75, "PCMPEQD": 0x76, "PCMPGTB": 0x64, "PCMPGTW": 0x65, "PCMPGTD": 0x66,
		"PMULLW": 0xd5, "PMULHW": 0xe5, "PMULHUW": 0xe4, "PMULUDQ": 0xf4, "PMADDWD": 0xf5, "PSADBW": 0xf6, "PAVGB": 0xe0, "PAVGW": 0xe3,
		"PMINUB": 0xda, "PMAXUB": 0xde, "PMINSW": 0xea, "PMAXSW": 0xee,
		"PUNPCKLBW": 0x60, "PUNPCKLWD": 0x61, "PUNPCKLDQ": 0x62, "PUNPCKLQDQ": 0x6c, "PUNPCKHQDQ": 0x6d, "UNPCKLPD": 0x14, "UNPCKHPD": 0x15,
		"PAND": 0xdb, "PANDN": 0xdf, "POR": 0xeb, "PXOR": 0xef,
		"PSLLW": 0xf1, "PSLLD": 0xf2, "PSLLQ": 0xf3, "PSRLW": 0xd1, "PSRLD": 0xd2, "PSRLQ": 0xd3, "PSRAW": 0xe1, "PSRAD": 0xe2,
		"ADDPD": 0x58, "SUBPD": 0x5c, "MULPD": 0x59, "DIVPD": 0x5e, "MINPD": 0x5d, "MAXPD": 0x5f,
	})
	all(baseline, high, p66, list{"PUNPCKHBW": 0x68, "PUNPCKHWD": 0x69, "PUNPCKHDQ": 0x6a})
	all(baseline, packs, p66, list{"PACKSSWB": 0x63, "PACKUSWB": 0x67, "PACKSSDW": 0x6b})
	all(baseline, 0, op0F, list{
		"UNPCKLPS": 0x14, "UNPCKHPS": 0x15, "ANDPS": 0x54, "ANDNPS": 0x55, "ORPS": 0x56, "XORPS": 0x57,
		"ADDPS": 0x58, "SUBPS": 0x5c, "MULPS": 0x59, "DIVPS": 0x5e, "MINPS": 0x5d, "MAXPS": 0x5f,
	})
	all(baseline, regOnly, op0F, list{"MOVLHPS": 0x16, "MOVHLPS": 0x12})
	all(baseline, over|hasImm, p66, list{"PSHUFD": 0x70})
	all(baseline, over|hasImm, pF2, list{"PSHUFLW": 0x70, "PSHUFW": 0x70})
	all(baseline, over|hasImm, pF3, list{"PSHUFHW": 0x70})
	all(baseline, hasImm, op0F, list{"SHUFPS": 0xc6})
	all(baseline, hasImm, p66, list{"SHUFPD": 0xc6})
	all(baseline, smallMem, p66, list{"MOVLPD": 0x12, "MOVHPD": 0x16})
	all(baseline, over, op0F, list{"SQRTPS": 0x51, "CVTDQ2PS": 0x5b})
	all(baseline, over, p66, list{"SQRTPD": 0x51, "CVTPS2DQ": 0x5b, "CVTTPD2DQ": 0xe6, "CVTPD2PS": 0x5a, "CVTTPD2PI": 0xe6, "CVTPS2PI": 0x5b})
	all(baseline, over, pF3, list{"CVTTPS2DQ": 0x5b, "CVTTPS2PI": 0x5b})
	all(baseline, over, pF2, list{"CVTPD2DQ": 0xe6, "CVTPD2PI": 0xe6})
	all(baseline, over|smallMem, op0F, list{"CVTPS2PD": 0x5a})
	all(baseline, over|smallMem, pF3, list{"CVTDQ2PD": 0xe6, "CVTPI2PD": 0xe6})
	all(baseline, partial, op0F, list{"CVTPI2PS": 0x5b})
	all(baseline, hasImm|imm3, op0F, list{"CMPPS": 0xc2})
	all(baseline, hasImm|imm3, p66, list{"CMPPD": 0xc2})
	all(baseline, hasImm|imm3|smallMem, pF3, list{"CMPSS": 0xc2})
	all(baseline, hasImm|imm3|smallMem, pF2, list{"CMPSD": 0xc2})
	all(baseline, smallMem, pF3, list{
		"ADDSS": 0x58, "SUBSS": 0x5c, "MULSS": 0x59, "DIVSS": 0x5e, "MINSS": 0x5d, "MAXSS": 0x5f, "SQRTSS": 0x51, "CVTSS2SD": 0x5a,
	})
	all(baseline, smallMem, pF2, list{
		"ADDSD": 0x58, "SUBSD": 0x5c, "MULSD": 0x59, "DIVSD": 0x5e, "MINSD": 0x5d, "MAXSD": 0x5f, "SQRTSD": 0x51, "CVTSD2SS": 0x5a,
	})
	all(baseline, regOnly, pF3, list{"MOVSS": 0x10})
	all(baseline, regOnly, pF2, list{"MOVSD": 0x10})
	all(baseline, smallMem|fromInt, pF3, list{"CVTSI2SS": 0x2a})
	all(baseline, smallMem|fromInt, pF2, list{"CVTSI2SD": 0x2a})
	wide3 := func(b byte) opcode { return pF3(b) | wide }
	wide2 := func(b byte) opcode { return pF2(b) | wide }
	all(baseline, smallMem|fromInt, wide3, list{"CVTSI2SSQ": 0x2a})
	all(baseline, smallMem|fromInt, wide2, list{"CVTSI2SDQ": 0x2a})
	all(baseline, smallMem|toInt, wide3, list{"CVTSS2SIQ": 0x2d, "CVTTSS2SIQ": 0x2c})
	all(baseline, smallMem|toInt, wide2, list{"CVTSD2SIQ": 0x2d, "CVTTSD2SIQ": 0x2c})
	all(baseline, smallMem|toInt, pF3, list{"CVTSS2SI": 0x2d, "CVTTSS2SI": 0x2c})
	all(baseline, smallMem|toInt, pF2, list{"CVTSD2SI": 0x2d, "CVTTSD2SI": 0x2c})
	all(baseline, smallMem|compares, op0F, list{"UCOMISS": 0x2e, "COMISS": 0x2f})
	all(baseline, smallMem|compares, p66, list{"UCOMISD": 0x2e, "COMISD": 0x2f})
	all(baseline, toInt|regOnly, p66, list{"PMOVMSKB": 0xd7, "MOVMSKPD": 0x50})
	all(baseline, toInt|regOnly, op0F, list{"MOVMSKPS": 0x50})
	for _, s := range []struct {
		name  string
		op    byte
		group uint8
	}{
		{"PSRLWI", 0x71, 2}, {"PSRAWI", 0x71, 4}, {"PSLLWI", 0x71, 6}, {"PSRLDI", 0x72, 2}, {"PSRADI", 0x72, 4}, {"PSLLDI", 0x72, 6},
		{"PSRLQI", 0x73, 2}, {"PSRLDQ", 0x73, 3}, {"PSLLQI", 0x73, 6}, {"PSLLDQ", 0x73, 7},
	} {
		k, _ := ir.VecByName(s.name)
		t[k] = vecEnc{p66(s.op), known | shiftImm, s.group}
	}
	all(sse3, 0, pF2, list{"HADDPS": 0x7c, "HSUBPS": 0x7d, "ADDSUBPS": 0xd0})
	all(sse3, 0, p66, list{"HADDPD": 0x7c, "HSUBPD": 0x7d, "ADDSUBPD": 0xd0})
	all(sse3, over|smallMem, pF2, list{"MOVDDUP": 0x12})
	add(sse3, over, pF3(0x12), "MOVSLDUP")
	add(sse3, over, pF3(0x16), "MOVSHDUP")
	all(ssse3, wideOnly, p38, list{"PSHUFB": 0x00})
	all(ssse3, packs, p38, list{"PHADDW": 0x01, "PHADDD": 0x02, "PHADDSW": 0x03, "PHSUBW": 0x05, "PHSUBD": 0x06, "PHSUBSW": 0x07})
	all(ssse3, 0, p38, list{"PMADDUBSW": 0x04, "PSIGNB": 0x08, "PSIGNW": 0x09, "PSIGND": 0x0a, "PMULHRSW": 0x0b})
	all(ssse3, over, p38, list{"PABSB": 0x1c, "PABSW": 0x1d, "PABSD": 0x1e})
	all(ssse3, wideOnly|hasImm, p3A, list{"PALIGNR": 0x0f})
	all(sse41, 0, p38, list{
		"PMULDQ": 0x28, "PCMPEQQ": 0x29, "PACKUSDW": 0x2b, "PMINSB": 0x38, "PMINSD": 0x39, "PMINUW": 0x3a, "PMINUD": 0x3b,
		"PMAXSB": 0x3c, "PMAXSD": 0x3d, "PMAXUW": 0x3e, "PMAXUD": 0x3f, "PMULLD": 0x40,
	})
	all(sse41, over, p38, list{"PHMINPOSUW": 0x41})
	all(sse41, over|smallMem, p38, list{
		"PMOVSXBW": 0x20, "PMOVSXBD": 0x21, "PMOVSXBQ": 0x22, "PMOVSXWD": 0x23, "PMOVSXWQ": 0x24, "PMOVSXDQ": 0x25,
		"PMOVZXBW": 0x30, "PMOVZXBD": 0x31, "PMOVZXBQ": 0x32, "PMOVZXWD": 0x33, "PMOVZXWQ": 0x34, "PMOVZXDQ": 0x35,
	})
	all(sse41, hasImm, p3A, list{"BLENDPS": 0x0c, "PBLENDW": 0x0e, "MPSADBW": 0x42, "INSERTPS": 0x21})
	all(sse41, hasImm|over, p3A, list{"ROUNDPS": 0x08, "ROUNDPD": 0x09})
	all(sse41, hasImm|smallMem, p3A, list{"ROUNDSS": 0x0a, "ROUNDSD": 0x0b})
	all(sse42, 0, p38, list{"PCMPGTQ": 0x37})
	all(aes, 0, p38, list{"AESENC": 0xdc, "AESENCLAST": 0xdd, "AESDEC": 0xde, "AESDECLAST": 0xdf})
	all(aes, over, p38, list{"AESIMC": 0xdb})
	all(aes, over|hasImm, p3A, list{"AESKEYGENASSIST": 0xdf})
	all(pclmul, hasImm, p3A, list{"PCLMULQDQ": 0x44})
	return t
}
