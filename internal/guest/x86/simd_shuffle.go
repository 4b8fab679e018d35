package x86

import "sync"

// This file has the operations that move lanes about (SDM vol. 2, under the
// names in vectorOps).

func low32(x uint64) uint64 { return x & 0xffffffff }

// zip8 interleaves the four low bytes of d and s, d's first; zip16 and zip32
// the low words and doublewords.
func zip8(d, s uint64) uint64  { return spread8(d) | spread8(s)<<8 }
func zip16(d, s uint64) uint64 { return spread16(d) | spread16(s)<<16 }
func zip32(d, s uint64) uint64 { return low32(d) | s<<32 }

func spread8(x uint64) uint64 {
	x = spread16(x)
	return (x | x<<8) & 0x00ff00ff00ff00ff
}

func spread16(x uint64) uint64 { return x&0xffff | x&0xffff0000<<16 }

// unpackLow and unpackHigh are the PUNPCKs: wide on XMM, narrow on MMX.
func unpackLow(zip func(d, s uint64) uint64) (wide func(d, s *lanes, _ uint64), narrow func(d, s, _ uint64) uint64) {
	wide = func(d, s *lanes, _ uint64) { a, b := d[0], s[0]; d[0], d[1] = zip(a, b), zip(a>>32, b>>32) }
	return wide, func(d, s, _ uint64) uint64 { return zip(d, s) }
}

func unpackHigh(zip func(d, s uint64) uint64) (wide func(d, s *lanes, _ uint64), narrow func(d, s, _ uint64) uint64) {
	wide = func(d, s *lanes, _ uint64) { a, b := d[1], s[1]; d[0], d[1] = zip(a, b), zip(a>>32, b>>32) }
	return wide, func(d, s, _ uint64) uint64 { return zip(d>>32, s>>32) }
}

// pack16 makes four words bytes, pack32 two doublewords words, by f.
func pack16(x uint64, lo, hi int) uint64 {
	var r uint64
	for i := range 4 {
		r |= uint64(uint8(clamp(i16(int(uint16(x>>(16*i)))), lo, hi))) << (8 * i)
	}
	return r
}

func pack32(x uint64, lo, hi int) uint64 {
	return uint64(uint16(clamp(i32(int(uint32(x))), lo, hi))) | uint64(uint16(clamp(i32(int(x>>32)), lo, hi)))<<16
}

func packer(f func(x uint64, lo, hi int) uint64, lo, hi int) (wide func(d, s *lanes, _ uint64), narrow func(d, s, _ uint64) uint64) {
	wide = func(d, s *lanes, _ uint64) {
		d[0], d[1] = f(d[0], lo, hi)|f(d[1], lo, hi)<<32, f(s[0], lo, hi)|f(s[1], lo, hi)<<32
	}
	return wide, func(d, s, _ uint64) uint64 { return f(d, lo, hi) | f(s, lo, hi)<<32 }
}

// pshufw selects four words of x, dword one of s's doublewords.
func pshufw(_, x, imm uint64) uint64 {
	var r uint64
	for i := range 4 {
		r |= x >> (imm >> (2 * i) & 3 * 16) & 0xffff << (16 * i)
	}
	return r
}

func dword(s *lanes, n uint64) uint64 { return s[n>>1&1] >> (n & 1 * 32) & 0xffffffff }

func pshufd(d, s *lanes, imm uint64) {
	d[0], d[1] = dword(s, imm)|dword(s, imm>>2)<<32, dword(s, imm>>4)|dword(s, imm>>6)<<32
}

func pshuflw(d, s *lanes, imm uint64) { d[0], d[1] = pshufw(0, s[0], imm), s[1] }
func pshufhw(d, s *lanes, imm uint64) { d[0], d[1] = s[0], pshufw(0, s[1], imm) }

func shufps(d, s *lanes, imm uint64) {
	d[0], d[1] = dword(d, imm)|dword(d, imm>>2)<<32, dword(s, imm>>4)|dword(s, imm>>6)<<32
}

// vectorOps lists the operations of the helpers hSSE and hMMX.
var vectorOps = sync.OnceValue(newVectorOps)

func newVectorOps() []vectorOp {
	lane := func(name string, f func(d, s uint64) uint64) vectorOp { return vectorOp{name: name, lane: f} }
	shift := func(name string, f func(d, n uint64) uint64) vectorOp { return vectorOp{name: name, shift: f} }
	both := func(name string, wide func(d, s *lanes, imm uint64), narrow func(d, s, imm uint64) uint64) vectorOp {
		return vectorOp{name: name, wide: wide, narrow: narrow}
	}
	low := func(name string, zip func(d, s uint64) uint64) vectorOp {
		w, n := unpackLow(zip)
		return both(name, w, n)
	}
	high := func(name string, zip func(d, s uint64) uint64) vectorOp {
		w, n := unpackHigh(zip)
		return both(name, w, n)
	}
	pack := func(name string, f func(x uint64, lo, hi int) uint64, lo, hi int) vectorOp {
		w, n := packer(f, lo, hi)
		return both(name, w, n)
	}
	return append([]vectorOp{
		lane("PADDB", paddb), lane("PADDW", paddw), lane("PADDD", paddd), lane("PADDQ", paddq),
		lane("PSUBB", psubb), lane("PSUBW", psubw), lane("PSUBD", psubd), lane("PSUBQ", psubq),
		lane("PADDSB", paddsb), lane("PADDSW", paddsw), lane("PADDUSB", paddusb), lane("PADDUSW", paddusw),
		lane("PSUBSB", psubsb), lane("PSUBSW", psubsw), lane("PSUBUSB", psubusb), lane("PSUBUSW", psubusw),
		lane("PCMPEQB", pcmpeqb), lane("PCMPEQW", pcmpeqw), lane("PCMPEQD", pcmpeqd),
		lane("PCMPGTB", pcmpgtb), lane("PCMPGTW", pcmpgtw), lane("PCMPGTD", pcmpgtd),
		lane("PMULLW", pmullw), lane("PMULHW", pmulhw), lane("PMULHUW", pmulhuw), lane("PMULUDQ", pmuludq),
		lane("PMADDWD", pmaddwd), lane("PSADBW", psadbw), lane("PAVGB", pavgb), lane("PAVGW", pavgw),
		lane("PMINUB", pminub), lane("PMAXUB", pmaxub), lane("PMINSW", pminsw), lane("PMAXSW", pmaxsw),
		shift("PSLLW", psllw), shift("PSLLD", pslld), shift("PSLLQ", psllq),
		shift("PSRLW", psrlw), shift("PSRLD", psrld), shift("PSRLQ", psrlq),
		shift("PSRAW", psraw), shift("PSRAD", psrad),
		both("PSLLDQ", pslldq, nil), both("PSRLDQ", psrldq, nil),
		low("PUNPCKLBW", zip8), low("PUNPCKLWD", zip16), low("PUNPCKLDQ", zip32), low("UNPCKLPS", zip32),
		high("PUNPCKHBW", zip8), high("PUNPCKHWD", zip16), high("PUNPCKHDQ", zip32), high("UNPCKHPS", zip32),
		pack("PACKSSWB", pack16, -0x80, 0x7f), pack("PACKUSWB", pack16, 0, 0xff), pack("PACKSSDW", pack32, -0x8000, 0x7fff),
		both("PSHUFW", nil, pshufw), both("PSHUFD", pshufd, nil), both("PSHUFLW", pshuflw, nil), both("PSHUFHW", pshufhw, nil),
		both("SHUFPS", shufps, nil),
	}, append(bitOps(), laterVectorOps()...)...)
}
