package x86

import (
	"math/bits"

	"rhea/internal/ir"
)

// This file has the SHA extensions (SDM vol. 2, under the names). The words of a
// register are counted from the top there; word 0 is the lowest here.

// words32 are the doublewords of a register, the lowest first.
type words32 [4]uint32

func wordsOf(v *lanes) words32 {
	return words32{uint32(v[0]), uint32(v[0] >> 32), uint32(v[1]), uint32(v[1] >> 32)}
}

func (w words32) lanes() lanes {
	return lanes{uint64(w[0]) | uint64(w[1])<<32, uint64(w[2]) | uint64(w[3])<<32}
}

// shaOp is one of the instructions; k is XMM0.
type shaOp struct {
	name string
	f    func(d, s, k words32, imm uint64) words32
}

func shaOps() []shaOp {
	rol := bits.RotateLeft32
	return []shaOp{
		{"SHA1NEXTE", func(d, s, _ words32, _ uint64) words32 { return words32{s[0], s[1], s[2], s[3] + rol(d[3], 30)} }},
		{"SHA1MSG1", func(d, s, _ words32, _ uint64) words32 {
			return words32{s[2] ^ d[0], s[3] ^ d[1], d[0] ^ d[2], d[1] ^ d[3]}
		}},
		{"SHA1MSG2", func(d, s, _ words32, _ uint64) words32 {
			w16 := rol(d[3]^s[2], 1)
			return words32{rol(d[0]^w16, 1), rol(d[1]^s[0], 1), rol(d[2]^s[1], 1), w16}
		}},
		{"SHA1RNDS4", sha1Rounds},
		{"SHA256RNDS2", sha256Rounds},
		{"SHA256MSG1", func(d, s, _ words32, _ uint64) words32 {
			f := func(x uint32) uint32 { return rol(x, -7) ^ rol(x, -18) ^ x>>3 }
			return words32{d[0] + f(d[1]), d[1] + f(d[2]), d[2] + f(d[3]), d[3] + f(s[0])}
		}},
		{"SHA256MSG2", func(d, s, _ words32, _ uint64) words32 {
			f := func(x uint32) uint32 { return rol(x, -17) ^ rol(x, -19) ^ x>>10 }
			w16, w17 := d[0]+f(s[2]), d[1]+f(s[3])
			return words32{w16, w17, d[2] + f(w16), d[3] + f(w17)}
		}},
	}
}

func sha1Rounds(d, s, _ words32, imm uint64) words32 {
	a, b, c, dd, e := d[3], d[2], d[1], d[0], uint32(0)
	for i := range 4 {
		var f uint32
		switch imm & 3 {
		case 0:
			f = b&c ^ ^b&dd
		case 2:
			f = b&c ^ b&dd ^ c&dd
		default:
			f = b ^ c ^ dd
		}
		f += [...]uint32{0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6}[imm&3]
		a, b, c, dd, e = f+bits.RotateLeft32(a, 5)+s[3-i]+e, a, bits.RotateLeft32(b, 30), c, dd
	}
	return words32{dd, c, b, a}
}

func sha256Rounds(d, s, k words32, _ uint64) words32 {
	rol := bits.RotateLeft32
	a, b, c, dd := s[3], s[2], d[3], d[2]
	e, f, g, h := s[1], s[0], d[1], d[0]
	for i := range 2 {
		t := (e&f ^ ^e&g) + (rol(e, -6) ^ rol(e, -11) ^ rol(e, -25)) + k[i] + h
		u := (a&b ^ a&c ^ b&c) + (rol(a, -2) ^ rol(a, -13) ^ rol(a, -22))
		a, b, c, dd, e, f, g, h = t+u, a, b, c, t+dd, e, f, g
	}
	return words32{f, e, b, a}
}

// sha translates an operation of shaOps.
func sha(op int) emitter {
	return func(t *tx) {
		if !t.simd() {
			return
		}
		src, dst := t.source(1), xmmSlot(t.in.reg)
		t.Call(ir.Void, hSHA, ir.NoStop, t.Const(ir.I64, simdArg(op, dst, src, t.in.imm)))
		t.Forget(dst)
	}
}

// shaHelper makes the helper of shaOps.
func (c *CPU) shaHelper() func(a, _, _ uint64) (uint64, bool) {
	ops := shaOps()
	return func(a, _, _ uint64) (uint64, bool) {
		d, s := c.operandsOf(a)
		*d = ops[argOp(a)].f(wordsOf(d), wordsOf(s), wordsOf(&c.s.XMM[0]), argImm(a)).lanes()
		return 0, false
	}
}
