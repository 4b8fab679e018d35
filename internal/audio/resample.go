package audio

import "math"

// taps and phases of the filter: a windowed sinc, whose coefficients for a
// moment between two phases are interpolated.
const (
	taps   = 16
	phases = 64
)

type kernel [phases + 1][taps]float32

// resampler brings frames from one rate to another. Equal rates pass as they
// are.
type resampler struct {
	in, out int
	step    uint64 // input frames per output frame, 32.32
	pos     uint64 // of the next output frame after hist's first, 32.32
	kernel  *kernel
	cutoff  float64 // of kernel, of the input's half rate
	hist    [taps][2]float32
	at      int // of hist's oldest
}

// set gives the rates. The kernel is made when something is played: to set
// rates costs nothing.
func (r *resampler) set(in, out int) {
	if r.in == in && r.out == out {
		return
	}
	r.in, r.out = in, out
	r.step = uint64(in) << 32 / uint64(out)
	r.pos = 0
}

func (r *resampler) clear() {
	r.hist = [taps][2]float32{}
	r.pos, r.at = 0, 0
}

// latency is how many output frames are held back, at most.
func (r *resampler) latency() int {
	if r.in == r.out {
		return 1
	}
	return 2 + (taps/2+1)*r.out/r.in
}

// play filters p into the voice's ring.
func (r *resampler) play(v *Voice, p []Frame) {
	if r.in == r.out {
		for _, f := range p {
			v.push(f)
		}
		return
	}
	r.prepare()
	for _, f := range p {
		r.hist[r.at] = [2]float32{float32(f.L), float32(f.R)}
		r.at = (r.at + 1) % taps
		for ; r.pos>>32 == 0; r.pos += r.step {
			v.push(r.frame())
		}
		r.pos -= 1 << 32
	}
}

// drain plays silence until nothing is held back.
func (r *resampler) drain(v *Voice) {
	if r.in != r.out && v.primed {
		r.play(v, make([]Frame, taps/2))
	}
}

// frame is the output at pos.
func (r *resampler) frame() Frame {
	x := uint32(r.pos)
	ph := x >> (32 - 6)
	frac := float32(x<<6) / (1 << 32)
	a, b := &r.kernel[ph], &r.kernel[ph+1]
	var l, rr float32
	for i := range taps {
		k := a[i] + (b[i]-a[i])*frac
		h := &r.hist[(r.at+i)%taps]
		l += k * h[0]
		rr += k * h[1]
	}
	return Frame{round(l), round(rr)}
}

func round(x float32) int16 {
	return int16(min(max(math.Floor(float64(x)+0.5), math.MinInt16), math.MaxInt16))
}

// prepare makes the kernel: below half of the lower of the two rates.
func (r *resampler) prepare() {
	cut := min(1, float64(r.out)/float64(r.in)) * 0.95
	if r.kernel != nil && r.cutoff == cut {
		return
	}
	r.cutoff = cut
	if r.kernel == nil {
		r.kernel = new(kernel)
	}
	for ph := range r.kernel {
		sum := 0.0
		var k [taps]float64
		for i := range k {
			// hist[i] is i frames after the oldest; the output lies between
			// hist[taps/2-1] and hist[taps/2].
			x := float64(i) - (taps/2 - 1) - float64(ph)/phases
			w := 0.5 + 0.5*math.Cos(math.Pi*x/(taps/2)) // Hann
			if math.Abs(x) >= taps/2 {
				w = 0
			}
			s := 1.0
			if x != 0 {
				s = math.Sin(math.Pi*cut*x) / (math.Pi * cut * x)
			}
			k[i] = s * w
			sum += k[i]
		}
		for i := range k {
			r.kernel[ph][i] = float32(k[i] / sum)
		}
	}
}

// Converter is a Sink that brings frames to another rate for another sink. It
// is one voice of a mixer without a clock.
type Converter struct {
	v   Voice
	to  Sink
	buf [chunk]Frame
}

// NewConverter returns a sink for frames of rate in that gives to those of
// rate out.
func NewConverter(to Sink, in, out int) *Converter {
	c := &Converter{to: to}
	c.v.ring = make([]Frame, latencyBound(in, out))
	c.v.res.set(in, out)
	return c
}

// latencyBound is how many frames a chunk makes.
func latencyBound(in, out int) int { return chunk*(out/in+1) + taps }

// Play implements Sink.
func (c *Converter) Play(p []Frame) {
	for len(p) > 0 {
		n := min(len(p), chunk)
		c.v.res.play(&c.v, p[:n])
		p = p[n:]
		for c.v.n > 0 {
			k := min(c.v.n, len(c.buf))
			for i := range k {
				c.buf[i] = c.v.ring[c.v.head]
				c.v.head = (c.v.head + 1) % len(c.v.ring)
			}
			c.v.n -= k
			c.to.Play(c.buf[:k])
		}
	}
}
