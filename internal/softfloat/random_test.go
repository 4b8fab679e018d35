package softfloat

import "math/rand/v2"

// random64 and random32 mix ordinary numbers with all the odd ones.
func random64(r *rand.Rand) uint64 {
	sign, exp, frac := r.Uint64()&top, uint64(r.IntN(2048)), r.Uint64()&(1<<52-1)
	switch r.IntN(4) {
	case 0:
		frac = 1 << r.IntN(52)
	case 1:
		frac = 1<<52 - 1<<r.IntN(52)
	}
	switch r.IntN(6) {
	case 0, 1:
		exp = uint64(bias64 - 30 + r.IntN(60))
	case 2:
		exp = []uint64{0, 1, 0x7fe, 0x7ff, 52, 54, 896, 897, 874, 1151}[r.IntN(10)]
	case 3:
		frac = []uint64{0, 1, 1 << 51, 1<<52 - 1}[r.IntN(4)]
		exp = []uint64{0, 1, 0x7fe, 0x7ff}[r.IntN(4)]
	}
	return sign | exp<<52 | frac
}

func random32(r *rand.Rand) uint32 {
	v := random64(r)
	exp := uint32(v >> 52 & 0xff)
	switch v >> 52 & 0x7ff {
	case 0x7ff, 0:
	case 1023, 1024, 1022:
		exp = uint32(bias32 - 30 + r.IntN(60))
	}
	return uint32(v>>63)<<31 | exp<<23 | uint32(v>>29)&(1<<23-1)
}

// random80 mixes ordinary numbers with all the odd ones.
func random80(r *rand.Rand) F80 {
	man := r.Uint64()
	switch r.IntN(4) {
	case 0:
		man = 1 << r.IntN(64)
	case 1:
		man = ^uint64(0) << r.IntN(64)
	case 2:
		man >>= r.IntN(64)
	}
	se := uint16(r.UintN(0x10000))
	switch r.IntN(8) {
	case 0, 1, 2:
		se = uint16(bias80 - 70 + r.IntN(140) | r.IntN(2)<<15)
	case 3:
		se &= 0x807f
	case 4:
		se = se&0x8000 | 0x7fff - uint16(r.IntN(64))
	case 5:
		se = se&0x8000 | []uint16{0, 0, 1, 0x7fff}[r.IntN(4)]
		if r.IntN(2) == 0 {
			man = []uint64{0, top, 1, 3 << 62, top | 1, 1 << 62, ^uint64(0)}[r.IntN(7)]
		}
	}
	if r.IntN(16) != 0 && se&0x7fff != 0 {
		man |= top
	}
	return F80{man, se}
}
