package x86

import "math/bits"

// This file has the integer operations of SSSE3, SSE4.1 and SSE4.2, and
// PCLMULQDQ (SDM vol. 2, under the names in laterVectorOps).

// at8, at16, at32 return an element of a register; n is taken modulo their
// number.
func at8(v *lanes, n int) int  { return int(uint8(v[n>>3&1] >> (n & 7 * 8))) }
func at16(v *lanes, n int) int { return int(uint16(v[n>>2&1] >> (n & 3 * 16))) }
func at32(v *lanes, n int) int { return int(uint32(v[n>>1&1] >> (n & 1 * 32))) }

// fill makes a register of n elements of 128/n bits.
func fill(n int, f func(i int) int) lanes {
	var r lanes
	w := 128 / n
	for i := range n {
		r[i*w>>6] |= uint64(f(i)) & (1<<w - 1) << (i * w & 63)
	}
	return r
}

// pshufb selects bytes of d by those of s.
func pshufb(d, s *lanes, _ uint64) {
	t := *d
	*d = fill(16, func(i int) int {
		k := at8(s, i)
		if k&0x80 != 0 {
			return 0
		}
		return at8(&t, k&15)
	})
}

func pshufbMMX(d, s, _ uint64) uint64 {
	return each8(s, 0, func(k, _ int) int {
		if k&0x80 != 0 {
			return 0
		}
		return int(d >> (k & 7 * 8))
	})
}

// horizontal16 and horizontal32 combine neighbours: those of d, then of s.
func horizontal16(f func(x, y int) int) (wide func(d, s *lanes, _ uint64), narrow func(d, s, _ uint64) uint64) {
	pairs := func(x uint64) uint64 {
		lo := f(i16(int(uint16(x))), i16(int(uint16(x>>16))))
		hi := f(i16(int(uint16(x>>32))), i16(int(x>>48)))
		return uint64(uint16(lo)) | uint64(uint16(hi))<<16
	}
	return pairwise(pairs)
}

func horizontal32(f func(x, y int) int) (wide func(d, s *lanes, _ uint64), narrow func(d, s, _ uint64) uint64) {
	return pairwise(func(x uint64) uint64 { return uint64(uint32(f(int(uint32(x)), int(x>>32)))) })
}

func pairwise(pairs func(x uint64) uint64) (wide func(d, s *lanes, _ uint64), narrow func(d, s, _ uint64) uint64) {
	wide = func(d, s *lanes, _ uint64) {
		d[0], d[1] = pairs(d[0])|pairs(d[1])<<32, pairs(s[0])|pairs(s[1])<<32
	}
	return wide, func(d, s, _ uint64) uint64 { return pairs(d) | pairs(s)<<32 }
}

func add(x, y int) int         { return x + y }
func sub(x, y int) int         { return x - y }
func saturate(x int) int       { return clamp(x, -0x8000, 0x7fff) }
func addSaturate(x, y int) int { return saturate(x + y) }
func subSaturate(x, y int) int { return saturate(x - y) }

func pmaddubsw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int {
		return saturate((x&0xff)*i8(y) + (x>>8)*i8(y>>8))
	})
}

// withSign is x, -x or 0 by the sign of y.
func withSign(x, y int) int {
	switch {
	case y < 0:
		return -x
	case y == 0:
		return 0
	}
	return x
}

func psignb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return withSign(x, i8(y)) })
}
func psignw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return withSign(x, i16(y)) })
}
func psignd(d, s uint64) uint64 {
	return each32(d, s, func(x, y int) int { return withSign(x, i32(y)) })
}
func pmulhrsw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return (i16(x)*i16(y)>>14 + 1) >> 1 })
}

func magnitude(x int) int { return max(x, -x) }

func pabsb(_, s uint64) uint64 {
	return each8(s, 0, func(x, _ int) int { return magnitude(i8(x)) })
}
func pabsw(_, s uint64) uint64 {
	return each16(s, 0, func(x, _ int) int { return magnitude(i16(x)) })
}
func pabsd(_, s uint64) uint64 {
	return each32(s, 0, func(x, _ int) int { return magnitude(i32(x)) })
}

// palignr takes 16 bytes (8) of d:s, imm bytes on.
func palignr(d, s *lanes, imm uint64) {
	t := [...]uint64{s[0], s[1], d[0], d[1], 0, 0, 0, 0, 0}
	n := min(imm, 32)
	i, k := n/8, n%8*8
	for j := range uint64(2) {
		d[j] = t[i+j] >> k
		if k != 0 {
			d[j] |= t[i+j+1] << (64 - k)
		}
	}
}

func palignrMMX(d, s, imm uint64) uint64 {
	n := imm * 8
	if n >= 64 {
		return d >> (n - 64)
	}
	return s>>n | d<<(64-n)
}

func pmuldq(d, s uint64) uint64  { return uint64(int64(int32(d)) * int64(int32(s))) }
func pcmpeqq(d, s uint64) uint64 { return -b2u(d == s) }
func pcmpgtq(d, s uint64) uint64 { return -b2u(int64(d) > int64(s)) }

func pmulld(d, s uint64) uint64 { return each32(d, s, func(x, y int) int { return x * y }) }
func pminsb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return min(i8(x), i8(y)) })
}
func pmaxsb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return max(i8(x), i8(y)) })
}
func pminsd(d, s uint64) uint64 {
	return each32(d, s, func(x, y int) int { return min(i32(x), i32(y)) })
}
func pmaxsd(d, s uint64) uint64 {
	return each32(d, s, func(x, y int) int { return max(i32(x), i32(y)) })
}
func pminuw(d, s uint64) uint64 { return each16(d, s, func(x, y int) int { return min(x, y) }) }
func pmaxuw(d, s uint64) uint64 { return each16(d, s, func(x, y int) int { return max(x, y) }) }
func pminud(d, s uint64) uint64 { return each32(d, s, func(x, y int) int { return min(x, y) }) }
func pmaxud(d, s uint64) uint64 { return each32(d, s, func(x, y int) int { return max(x, y) }) }

// phminposuw finds the least word of s and its place.
func phminposuw(d, s *lanes, _ uint64) {
	least, place := 0x10000, 0
	for i := range 8 {
		if x := at16(s, i); x < least {
			least, place = x, i
		}
	}
	*d = lanes{uint64(least) | uint64(place)<<16, 0}
}

// widen is PMOVSX and PMOVZX: elements of from bits become to bits.
func widen(from, to int, signed bool) func(d, s *lanes, _ uint64) {
	return func(d, s *lanes, _ uint64) {
		x := s[0]
		*d = fill(128/to, func(i int) int {
			v := x >> (i * from) & (1<<from - 1)
			if signed {
				return int(int64(v<<(64-from)) >> (64 - from))
			}
			return int(v)
		})
	}
}

// blendLanes takes those of n elements of s whose bit of imm is set.
func blendLanes(n int) func(d, s *lanes, imm uint64) {
	w := uint64(128 / n)
	return func(d, s *lanes, imm uint64) {
		for i := range uint64(n) {
			if imm>>i&1 != 0 {
				m := (uint64(1)<<w - 1) << (i * w & 63)
				d[i*w>>6] = d[i*w>>6]&^m | s[i*w>>6]&m
			}
		}
	}
}

func insertps(d, s *lanes, imm uint64) {
	v := dword(s, imm>>6)
	to := imm >> 4 & 3
	at := to & 1 * 32
	d[to>>1] = d[to>>1]&^(0xffffffff<<at) | v<<at
	for i := range uint64(4) {
		if imm>>i&1 != 0 {
			d[i>>1] &^= 0xffffffff << (i & 1 * 32)
		}
	}
}

// mpsadbw sums differences of a block of four bytes of s with those of d that
// begin at eight neighbouring places.
func mpsadbw(d, s *lanes, imm uint64) {
	from, at := int(imm&3*4), int(imm>>2&1*4)
	t, u := *d, *s
	*d = fill(8, func(i int) int {
		sum := 0
		for j := range 4 {
			sum += magnitude(at8(&t, at+i+j) - at8(&u, from+j))
		}
		return sum
	})
}

// pclmulqdq multiplies without carries.
func pclmulqdq(d, s *lanes, imm uint64) {
	a, b := d[imm&1], s[imm>>4&1]
	var lo, hi uint64
	for b != 0 {
		i := bits.TrailingZeros64(b)
		lo ^= a << i
		hi ^= a >> 1 >> (63 - i)
		b &= b - 1
	}
	*d = lanes{lo, hi}
}

// laterVectorOps is what vectorOps has of these.
func laterVectorOps() []vectorOp {
	lane := func(name string, f func(d, s uint64) uint64) vectorOp { return vectorOp{name: name, lane: f} }
	wide := func(name string, f func(d, s *lanes, imm uint64)) vectorOp { return vectorOp{name: name, wide: f} }
	h16 := func(name string, f func(x, y int) int) vectorOp {
		w, n := horizontal16(f)
		return vectorOp{name: name, wide: w, narrow: n}
	}
	h32 := func(name string, f func(x, y int) int) vectorOp {
		w, n := horizontal32(f)
		return vectorOp{name: name, wide: w, narrow: n}
	}
	packUSDW, _ := packer(pack32, 0, 0xffff)
	ops := []vectorOp{
		lane("MOVSLDUP", func(_, s uint64) uint64 { return low32(s) | s<<32 }),
		lane("MOVSHDUP", func(_, s uint64) uint64 { return s>>32 | s&^0xffffffff }),
		{name: "PSHUFB", wide: pshufb, narrow: pshufbMMX}, {name: "PALIGNR", wide: palignr, narrow: palignrMMX},
		h16("PHADDW", add), h32("PHADDD", add), h16("PHADDSW", addSaturate),
		h16("PHSUBW", sub), h32("PHSUBD", sub), h16("PHSUBSW", subSaturate),
		lane("PMADDUBSW", pmaddubsw), lane("PMULHRSW", pmulhrsw),
		lane("PSIGNB", psignb), lane("PSIGNW", psignw), lane("PSIGND", psignd),
		lane("PABSB", pabsb), lane("PABSW", pabsw), lane("PABSD", pabsd),
		lane("PMULDQ", pmuldq), lane("PMULLD", pmulld), lane("PCMPEQQ", pcmpeqq), lane("PCMPGTQ", pcmpgtq),
		lane("PMINSB", pminsb), lane("PMINSD", pminsd), lane("PMINUW", pminuw), lane("PMINUD", pminud),
		lane("PMAXSB", pmaxsb), lane("PMAXSD", pmaxsd), lane("PMAXUW", pmaxuw), lane("PMAXUD", pmaxud),
		wide("PHMINPOSUW", phminposuw), wide("PACKUSDW", packUSDW),
		wide("BLENDPS", blendLanes(4)), wide("PBLENDW", blendLanes(8)),
		wide("MPSADBW", mpsadbw), wide("PCLMULQDQ", pclmulqdq),
		wide("INSERTPS", insertps),
	}
	for _, x := range []struct {
		name     string
		from, to int
	}{{"BW", 8, 16}, {"BD", 8, 32}, {"BQ", 8, 64}, {"WD", 16, 32}, {"WQ", 16, 64}, {"DQ", 32, 64}} {
		ops = append(ops, wide("PMOVSX"+x.name, widen(x.from, x.to, true)), wide("PMOVZX"+x.name, widen(x.from, x.to, false)))
	}
	return append(ops, aesOps()...)
}
