package x86

// This file has the integer operations of MMX and SSE on 64-bit lanes (SDM
// vol. 2, under the names in vectorOps). d is the destination, s the source.

// each8 does f on unsigned bytes; the low 8 bits of its result count. each16
// and each32 are the same for words and doublewords.
func each8(d, s uint64, f func(x, y int) int) uint64 {
	var r uint64
	for i := 0; i < 64; i += 8 {
		r |= uint64(uint8(f(int(uint8(d>>i)), int(uint8(s>>i))))) << i
	}
	return r
}

func each16(d, s uint64, f func(x, y int) int) uint64 {
	var r uint64
	for i := 0; i < 64; i += 16 {
		r |= uint64(uint16(f(int(uint16(d>>i)), int(uint16(s>>i))))) << i
	}
	return r
}

func each32(d, s uint64, f func(x, y int) int) uint64 {
	return uint64(uint32(f(int(uint32(d)), int(uint32(s))))) | uint64(f(int(d>>32), int(s>>32)))<<32
}

// Signed views of what each8 and each16 give.
func i8(x int) int  { return int(int8(x)) }
func i16(x int) int { return int(int16(x)) }
func i32(x int) int { return int(int32(x)) }

func clamp(x, lo, hi int) int { return min(max(x, lo), hi) }

const (
	ones8, signs8   = 0x0101010101010101, 0x8080808080808080
	ones16, signs16 = 0x0001000100010001, 0x8000800080008000
	ones32, signs32 = 0x0000000100000001, 0x8000000080000000
)

// addLanes and subLanes work on all lanes at once; signs are their top bits.
func addLanes(d, s, signs uint64) uint64 { return (d&^signs + s&^signs) ^ (d^s)&signs }
func subLanes(d, s, signs uint64) uint64 { return ((d | signs) - s&^signs) ^ (d^^s)&signs }

func paddb(d, s uint64) uint64 { return addLanes(d, s, signs8) }
func paddw(d, s uint64) uint64 { return addLanes(d, s, signs16) }
func paddd(d, s uint64) uint64 { return addLanes(d, s, signs32) }
func paddq(d, s uint64) uint64 { return d + s }
func psubb(d, s uint64) uint64 { return subLanes(d, s, signs8) }
func psubw(d, s uint64) uint64 { return subLanes(d, s, signs16) }
func psubd(d, s uint64) uint64 { return subLanes(d, s, signs32) }
func psubq(d, s uint64) uint64 { return d - s }

func paddsb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return clamp(i8(x)+i8(y), -0x80, 0x7f) })
}
func paddsw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return clamp(i16(x)+i16(y), -0x8000, 0x7fff) })
}
func paddusb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return min(x+y, 0xff) })
}
func paddusw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return min(x+y, 0xffff) })
}
func psubsb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return clamp(i8(x)-i8(y), -0x80, 0x7f) })
}
func psubsw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return clamp(i16(x)-i16(y), -0x8000, 0x7fff) })
}
func psubusb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return max(x-y, 0) })
}
func psubusw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return max(x-y, 0) })
}

// allOnes is -1 for true.
func allOnes(b bool) int { return -int(b2u(b)) }

func pcmpeqb(d, s uint64) uint64 {
	x := d ^ s
	t := ^(x&^signs8 + ^uint64(signs8) | x) // the top bit of each byte that is 0
	return t >> 7 & ones8 * 0xff
}
func pcmpeqw(d, s uint64) uint64 {
	x := d ^ s
	t := ^(x&^signs16 + ^uint64(signs16) | x)
	return t >> 15 & ones16 * 0xffff
}
func pcmpeqd(d, s uint64) uint64 {
	x := d ^ s
	t := ^(x&^signs32 + ^uint64(signs32) | x)
	return t >> 31 & ones32 * 0xffffffff
}
func pcmpgtb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return allOnes(i8(x) > i8(y)) })
}
func pcmpgtw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return allOnes(i16(x) > i16(y)) })
}
func pcmpgtd(d, s uint64) uint64 {
	return each32(d, s, func(x, y int) int { return allOnes(i32(x) > i32(y)) })
}

func pmullw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return x * y })
}
func pmulhw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return i16(x) * i16(y) >> 16 })
}
func pmulhuw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return x * y >> 16 })
}
func pmuludq(d, s uint64) uint64 { return d & 0xffffffff * (s & 0xffffffff) }

func pmaddwd(d, s uint64) uint64 {
	pair := func(i uint) uint64 {
		lo := int32(int16(d>>i)) * int32(int16(s>>i))
		hi := int32(int16(d>>(i+16))) * int32(int16(s>>(i+16)))
		return uint64(uint32(lo + hi))
	}
	return pair(0) | pair(32)<<32
}

func psadbw(d, s uint64) uint64 {
	sum := 0
	for i := 0; i < 64; i += 8 {
		x := int(uint8(d>>i)) - int(uint8(s>>i))
		sum += max(x, -x)
	}
	return uint64(sum)
}

func pavgb(d, s uint64) uint64 {
	return each8(d, s, func(x, y int) int { return (x + y + 1) >> 1 })
}
func pavgw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return (x + y + 1) >> 1 })
}
func pminub(d, s uint64) uint64 { return each8(d, s, func(x, y int) int { return min(x, y) }) }
func pmaxub(d, s uint64) uint64 { return each8(d, s, func(x, y int) int { return max(x, y) }) }
func pminsw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return min(i16(x), i16(y)) })
}
func pmaxsw(d, s uint64) uint64 {
	return each16(d, s, func(x, y int) int { return max(i16(x), i16(y)) })
}

// Shifts take any count: one too large gives 0, or the sign.

func psllw(d, n uint64) uint64 {
	if n > 15 {
		return 0
	}
	return d << n & (0xffff << n & 0xffff * ones16)
}
func pslld(d, n uint64) uint64 {
	if n > 31 {
		return 0
	}
	return d << n & (0xffffffff << n & 0xffffffff * ones32)
}
func psllq(d, n uint64) uint64 { return d << n }
func psrlw(d, n uint64) uint64 {
	if n > 15 {
		return 0
	}
	return d >> n & (0xffff >> n * ones16)
}
func psrld(d, n uint64) uint64 {
	if n > 31 {
		return 0
	}
	return d >> n & (0xffffffff >> n * ones32)
}
func psrlq(d, n uint64) uint64 { return d >> n }
func psraw(d, n uint64) uint64 {
	k := min(n, 15)
	return each16(d, 0, func(x, _ int) int { return i16(x) >> k })
}
func psrad(d, n uint64) uint64 {
	k := min(n, 31)
	return each32(d, 0, func(x, _ int) int { return i32(x) >> k })
}

// pslldq and psrldq shift the whole register by bytes.
func pslldq(d, _ *lanes, imm uint64) {
	switch n := imm * 8; {
	case n == 0:
	case n < 64:
		d[1] = d[1]<<n | d[0]>>(64-n)
		d[0] <<= n
	default:
		d[1], d[0] = d[0]<<(n-64), 0
	}
}
func psrldq(d, _ *lanes, imm uint64) {
	switch n := imm * 8; {
	case n == 0:
	case n < 64:
		d[0] = d[0]>>n | d[1]<<(64-n)
		d[1] >>= n
	default:
		d[0], d[1] = d[1]>>(n-64), 0
	}
}
