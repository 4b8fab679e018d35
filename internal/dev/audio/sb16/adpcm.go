package sb16

import "rhea/internal/audio"

// adpcm is the decoder of Creative's formats of 4, 2.6 and 2 bits. Of a code
// one bit is the sign and the others a magnitude m; the difference is
// (2m+1) * 2^(step-1), or m in step 0. The largest magnitude makes the step
// larger, 0 makes it smaller. (Found by what the DSP's output does; the
// programming guide does not say.)
type adpcm struct {
	ref  uint8 // the last sample, unsigned
	step uint8
}

// maxSteps bounds step in all formats.
const maxSteps = 6

// code is a format: the bits of its magnitude, from which magnitude on the
// step grows, and the factor of each step.
type code struct {
	bits   uint8
	grow   uint8
	scales []int
}

var codes = [nForms]code{
	adpcm2:  {1, 1, []int{0, 1, 2, 4, 8, 16}},
	adpcm26: {2, 3, []int{0, 1, 2, 4, 5}},
	adpcm4:  {3, 5, []int{0, 1, 2, 4}},
}

// decode adds the frames of a byte, its highest bits first.
func (a *adpcm) decode(out []audio.Frame, f form, x uint8) []audio.Frame {
	switch f {
	case adpcm4:
		return a.add(a.add(out, f, x>>4), f, x&15)
	case adpcm26: // 3, 3 and 2 bits, whose lowest is missing
		return a.add(a.add(a.add(out, f, x>>5), f, x>>2&7), f, x<<1&6)
	}
	return a.add(a.add(a.add(a.add(out, f, x>>6), f, x>>4&3), f, x>>2&3), f, x&3)
}

func (a *adpcm) add(out []audio.Frame, f form, v uint8) []audio.Frame {
	c := &codes[f]
	m := v & (1<<c.bits - 1)
	d := int(m)
	if a.step > 0 {
		d = (2*d + 1) * c.scales[a.step]
	}
	if v>>c.bits&1 != 0 {
		d = -d
	}
	a.ref = uint8(min(max(int(a.ref)+d, 0), 255))
	switch {
	case m >= c.grow && int(a.step) < len(c.scales)-1:
		a.step++
	case m == 0 && a.step > 0:
		a.step--
	}
	y := int16(uint16(a.ref^0x80) << 8)
	return append(out, audio.Frame{L: y, R: y})
}
