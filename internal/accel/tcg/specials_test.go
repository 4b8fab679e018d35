package tcg_test

import (
	"math/rand/v2"

	"rhea/internal/guest/x86"
)

// arithmeticPool returns SSE arithmetic between all registers and with memory,
// as vectors have few registers.
func arithmeticPool() (pool [][]byte) {
	for _, op := range []byte{0x51, 0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f, 0x5a, 0x2e, 0x2f, 0x14, 0x15, 0x28, 0x54, 0x55, 0x56, 0x57} {
		for _, prefix := range []byte{0, 0x66, 0xf3, 0xf2} {
			if prefix > 0x66 && (op < 0x51 || op >= 0x54 && op <= 0x57) {
				continue
			}
			for i := range byte(4) {
				var code []byte
				if prefix != 0 {
					code = append(code, prefix)
				}
				modrm := 0xc0 | i<<3 | (i*5+op)&3
				if i == 3 {
					modrm = i<<3 | 3 // [ebx]
				}
				pool = append(pool, append(code, 0x0f, op, modrm))
			}
		}
	}
	for i := range byte(8) { // LDMXCSR, STMXCSR [esi+4]; CMPPS, CMPSD xmm1, xmm2
		pool = append(pool, []byte{0x0f, 0xae, 0x56, 4}, []byte{0x0f, 0xae, 0x5e, 4}, []byte{0x0f, 0xc2, 0xca, i}, []byte{0xf2, 0x0f, 0xc2, 0xca, i})
	}
	return pool
}

// arithmeticPool87 returns what vectors of the x87 have few of.
func arithmeticPool87() (pool [][]byte) {
	for i := range byte(8) {
		for _, c := range [][]byte{
			{0xd8, 0xc0}, {0xd8, 0xc8}, {0xd8, 0xd0}, {0xd8, 0xe0}, {0xd8, 0xe8}, {0xd8, 0xf0}, {0xd8, 0xf8}, {0xdc, 0xc0}, {0xdc, 0xe8},
			{0xde, 0xc0}, {0xde, 0xf0}, {0xd9, 0xc0}, {0xd9, 0xc8}, {0xdd, 0xd0}, {0xdd, 0xd8}, {0xdd, 0xe0}, {0xdb, 0xe8}, {0xdf, 0xf0},
			{0xda, 0xc0}, {0xda, 0xc8}, {0xdb, 0xd8}, {0xd9, 0xe8}, {0xdd, 0xc0}, {0xdb, 0xf0},
		} {
			pool = append(pool, []byte{c[0], c[1] + i})
		}
		pool = append(pool, []byte{0xd8, i<<3 | 3}, []byte{0xdc, i<<3 | 3}, []byte{0xda, i<<3 | 3}, []byte{0xde, i<<3 | 3})
	}
	for range 4 {
		for _, c := range [][]byte{
			{0xdf, 0xe0}, {0xd9, 0x7b, 8}, {0xdd, 0x7b, 8}, {0xd9, 0xe0}, {0xd9, 0xe1}, {0xd9, 0xe4}, {0xd9, 0xe5}, {0xd9, 0xfa}, {0xd9, 0xfc}, {0xd9, 0xf7}, {0xd9, 0xf6},
			{0xd9, 0x03}, {0xdd, 0x03}, {0xdb, 0x2b}, {0xdb, 0x03}, {0xdf, 0x03}, {0xdf, 0x2b}, {0xd9, 0x13}, {0xdd, 0x13}, {0xd9, 0x1b}, {0xdd, 0x1b}, {0xdb, 0x3b},
			{0xdb, 0x13}, {0xdb, 0x1b}, {0xdf, 0x13}, {0xdf, 0x1b}, {0xdf, 0x3b}, {0xdb, 0x0b}, {0xdd, 0x0b}, {0xdf, 0x0b}, {0xdb, 0xe2}, {0xd9, 0x6b, 8},
			{0x9b}, {0xd9, 0xfd}, {0xd9, 0xf4}, {0x9e}, {0xda, 0xe9}, {0xde, 0xd9}, {0x0f, 0x77}, {0x0f, 0xfc, 0xc1}, {0x0f, 0x6f, 0x03}, {0x89, 0x43, 4},
		} {
			pool = append(pool, c)
		}
	}
	return pool
}

// special returns a number of the given format that is likely to be special.
func special(rnd *rand.Rand, exp, mant uint) uint64 {
	top := uint64(1)<<exp - 1
	e := []uint64{0, 0, 1, top, top - 1, top / 2, top/2 + 1, top/2 - 1, top/2 + 30, top/2 + 62, rnd.Uint64() & top, top/2 + uint64(mant)}[rnd.IntN(12)]
	m := []uint64{0, 0, 1, 1 << (mant - 1), 1<<mant - 1, rnd.Uint64(), 1<<(mant-1) | 1, rnd.Uint64() << (mant / 2)}[rnd.IntN(8)] & (1<<mant - 1)
	return rnd.Uint64()&1<<(exp+mant) | e<<mant | m
}

// specialFPU fills registers and memory with special numbers, and takes all
// rounding modes.
func specialFPU(rnd *rand.Rand, r *rig, s *x86.State) {
	number := func() uint64 {
		if rnd.IntN(2) == 0 {
			return special(rnd, 11, 52)
		}
		return special(rnd, 8, 23) | special(rnd, 8, 23)<<32
	}
	for i := range s.FPR {
		x := special(rnd, 15, 48)
		s.FPR[i] = [2]uint64{1<<63 | x<<15, x >> 48}
		if x>>48&0x7fff == 0 && rnd.IntN(2) == 0 || rnd.IntN(8) == 0 { // denormals; unsupported formats
			s.FPR[i][0] &^= 1 << 63
		}
		if rnd.IntN(3) == 0 { // small numbers
			s.FPR[i] = [2]uint64{1<<63 | rnd.Uint64(), 0x3fff + rnd.Uint64()&31}
		}
		s.XMM[i] = [2]uint64{number(), number()}
	}
	for i := 0; i < 128; i += 8 {
		putLE64(r.data()[i:], number())
	}
	s.FTW, s.FTop = rnd.Uint64()&0xff|rnd.Uint64()&0xff, rnd.Uint64()&7
	s.FCW, s.FSW = 0x003f|0x40|rnd.Uint64()&0xf00, rnd.Uint64()&0x477f
	s.MXCSR = 0x1f80 | rnd.Uint64()&0xe07f
	s.GPR[3], s.GPR[6] = vData+0x20, vData
	// What LDMXCSR [esi+4] and FLDCW [ebx+8] load.
	mx, cw := uint32(0x1f80|rnd.Uint64()&0xe07f), uint32(0x37f|rnd.Uint64()&0xc00)
	if rnd.IntN(8) == 0 {
		s.FCW &^= rnd.Uint64() & 0x3f
		s.MXCSR &^= rnd.Uint64() & 0x1f80
		s.FSW &^= 0x3f
		mx &^= uint32(rnd.Uint64() & 0x1f80)
		cw &^= uint32(rnd.Uint64() & 0x3f)
	}
	put32(r.data(), 4, mx)
	put32(r.data(), 0x28, cw)
}
