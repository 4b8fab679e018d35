package x86

// The AES instructions (SDM vol. 2; FIPS 197). An XMM register holds the
// state by columns.

// aesBoxes are FIPS 197's S-box and its inverse.
type aesBoxes struct{ sub, inv [256]byte }

// newAESBoxes computes them: inverses in GF(2^8), and an affine map (FIPS 197,
// 5.1.1).
func newAESBoxes() *aesBoxes {
	b := &aesBoxes{}
	p, q := byte(1), byte(1)
	for { // p runs through the powers of 3, q through those of its inverse
		p ^= xtime(p)
		q ^= q << 1
		q ^= q << 2
		q ^= q << 4
		if q&0x80 != 0 {
			q ^= 9
		}
		s := q ^ rotl8(q, 1) ^ rotl8(q, 2) ^ rotl8(q, 3) ^ rotl8(q, 4) ^ 0x63
		b.sub[p], b.inv[s] = s, p
		if p == 1 {
			break
		}
	}
	b.sub[0], b.inv[0x63] = 0x63, 0
	return b
}

func rotl8(x byte, n int) byte { return x<<n | x>>(8-n) }

// xtime multiplies by x in GF(2^8).
func xtime(x byte) byte { return x<<1 ^ -(x>>7)&0x1b }

type aesState [16]byte

func aesLoad(v *lanes) (s aesState) {
	for i := range s {
		s[i] = byte(v[i>>3] >> (i & 7 * 8))
	}
	return s
}

func (s *aesState) lanes() (v lanes) {
	for i, b := range s {
		v[i>>3] |= uint64(b) << (i & 7 * 8)
	}
	return v
}

// shiftRows moves row r by r columns, to the left or (inverse) to the right.
func (s *aesState) shiftRows(inverse bool) (r aesState) {
	for i := range s {
		row, col := i&3, i>>2
		if inverse {
			r[(col+row)&3<<2|row] = s[i]
		} else {
			r[(col-row)&3<<2|row] = s[i]
		}
	}
	return r
}

func (s *aesState) substitute(box *[256]byte) {
	for i, b := range s {
		s[i] = box[b]
	}
}

// mixColumns multiplies the columns by FIPS 197's matrix, or its inverse.
func (s *aesState) mixColumns(inverse bool) {
	for c := 0; c < 16; c += 4 {
		if inverse { // the inverse is the matrix times another one
			u := xtime(xtime(s[c] ^ s[c+2]))
			v := xtime(xtime(s[c+1] ^ s[c+3]))
			s[c], s[c+1], s[c+2], s[c+3] = s[c]^u, s[c+1]^v, s[c+2]^u, s[c+3]^v
		}
		a := [5]byte{s[c], s[c+1], s[c+2], s[c+3], s[c]}
		all := a[0] ^ a[1] ^ a[2] ^ a[3]
		for i := range 4 {
			s[c+i] = a[i] ^ all ^ xtime(a[i]^a[i+1])
		}
	}
}

// aesOps is what vectorOps has of AES.
func aesOps() []vectorOp {
	boxes := newAESBoxes()
	round := func(inverse, last bool) func(d, s *lanes, _ uint64) {
		box := &boxes.sub
		if inverse {
			box = &boxes.inv
		}
		return func(d, s *lanes, _ uint64) {
			key := *s
			state := aesLoad(d)
			state = state.shiftRows(inverse)
			state.substitute(box)
			if !last {
				state.mixColumns(inverse)
			}
			v := state.lanes()
			*d = lanes{v[0] ^ key[0], v[1] ^ key[1]}
		}
	}
	imc := func(d, s *lanes, _ uint64) {
		state := aesLoad(s)
		state.mixColumns(true)
		*d = state.lanes()
	}
	assist := func(d, s *lanes, imm uint64) {
		word := func(x uint64) uint64 {
			var r uint64
			for i := 0; i < 32; i += 8 {
				r |= uint64(boxes.sub[uint8(x>>i)]) << i
			}
			return r
		}
		rot := func(x uint64) uint64 { return x>>8 | x&0xff<<24 }
		a, b := word(s[0]>>32), word(s[1]>>32)
		*d = lanes{a | (rot(a)^imm)<<32, b | (rot(b)^imm)<<32}
	}
	return []vectorOp{
		{name: "AESENC", wide: round(false, false)}, {name: "AESENCLAST", wide: round(false, true)},
		{name: "AESDEC", wide: round(true, false)}, {name: "AESDECLAST", wide: round(true, true)},
		{name: "AESIMC", wide: imc}, {name: "AESKEYGENASSIST", wide: assist},
	}
}
