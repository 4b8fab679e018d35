package softfloat

import "math/bits"

// shiftRightJam shifts hi:lo right by n >= 0, ORing all that falls out into
// the lowest bit (the "sticky" bit).
func shiftRightJam(hi, lo uint64, n uint32) (uint64, uint64) {
	switch {
	case n == 0:
		return hi, lo
	case n < 64:
		return hi >> n, lo>>n | hi<<(64-n) | b2u(lo<<(64-n) != 0)
	case n < 128:
		n -= 64
		return 0, hi>>n | b2u(hi<<(64-n)|lo != 0)
	}
	return 0, b2u(hi|lo != 0)
}

// split cuts hi:lo behind the first p bits: what is kept, in place, and what
// is discarded as a fraction in units of 2^-64 with a sticky lowest bit.
func split(hi, lo uint64, p uint) (kept, frac uint64) {
	if p == 64 {
		return hi, lo
	}
	return hi &^ (1<<(64-p) - 1), hi<<p | b2u(lo != 0)
}

// round rounds hi:lo * 2^(exp-127) (bit 63 of hi set) to p <= 64 significand
// bits in a format with the given exponent bias, and raises what that raises.
// It returns the significand left-aligned and the biased exponent; bias 2b+1
// stands for infinity, 0 for denormals and zero.
func (e *Env) round(sign uint8, exp int32, hi, lo uint64, p uint, bias int32) (uint64, int32) {
	be := exp + bias
	if be <= 0 {
		return e.roundTiny(sign, be, hi, lo, p, bias)
	}
	sig, frac := split(hi, lo, p)
	if frac != 0 {
		e.Flags |= Inexact
		ulp := uint64(1) << (64 - p)
		if e.Round.carriesUp(sign, sig&ulp != 0, frac) {
			e.Flags |= RoundedUp
			sig += ulp
			if sig == 0 {
				sig, be = top, be+1
			}
		}
	}
	if be > 2*bias {
		return e.overflow(sign, be, sig, p, bias)
	}
	return sig, be
}

// wrap is the amount by which the exponent of an unmasked overflow or
// underflow is adjusted: 3*2^(w-2) for exponents w bits wide.
func wrap(bias int32) int32 { return 3 * ((bias + 1) / 2) }

// overflow finishes round for a result beyond the format's range.
func (e *Env) overflow(sign uint8, be int32, sig uint64, p uint, bias int32) (uint64, int32) {
	e.Flags |= Overflow
	if e.Unmasked&Overflow != 0 {
		if be -= wrap(bias); be <= 2*bias {
			return sig, be
		}
		// Out of reach even so (FSCALE): infinity, whatever the direction.
		e.Flags |= Inexact | RoundedUp
		return top, 2*bias + 1
	}
	e.Flags |= Inexact
	if e.Round.toInfinity(sign) {
		e.Flags |= RoundedUp
		return top, 2*bias + 1
	}
	return ^uint64(0) << (64 - p), 2 * bias
}

// roundTiny is round for biased exponents of 0 and less.
func (e *Env) roundTiny(sign uint8, be int32, hi, lo uint64, p uint, bias int32) (uint64, int32) {
	ulp := uint64(1) << (64 - p)
	tiny := true
	if be == 0 && !e.TinyBefore {
		// With an unbounded exponent, would rounding reach the least normal?
		sig, frac := split(hi, lo, p)
		tiny = !(sig == -ulp && e.Round.carriesUp(sign, true, frac))
	}
	if e.FTZ != FTZOff && bias != bias80 {
		if e.FTZ != FTZSSE {
			e.Flags |= Underflow
			return 0, 0
		}
		if tiny && e.Unmasked&Underflow == 0 {
			e.Flags |= Underflow | Inexact
			return 0, 0
		}
	}
	if tiny && e.Unmasked&Underflow != 0 {
		e.Flags |= Underflow
		if wrapped := be + wrap(bias); wrapped > 0 {
			return e.round(sign, wrapped-bias, hi, lo, p, bias)
		}
		e.Flags |= Inexact // out of reach even so
		return 0, 0
	}
	hi, lo = shiftRightJam(hi, lo, uint32(1-be))
	sig, frac := split(hi, lo, p)
	if frac != 0 {
		e.Flags |= Inexact
		if tiny {
			e.Flags |= Underflow
		}
		if e.Round.carriesUp(sign, sig&ulp != 0, frac) {
			e.Flags |= RoundedUp
			sig += ulp
		}
	}
	return sig, int32(sig >> 63) // may have become the least normal
}

// round113 is round for f128: 113 bits, in hi and the upper 49 bits of lo.
func (e *Env) round113(w wide) (hi, lo uint64, be int32) {
	const (
		p    = 49 // bits kept of lo
		ulp  = 1 << (64 - p)
		ones = 1<<64 - ulp // the bits kept of lo
	)
	hi, lo, be = w.hi, w.lo, w.exp+bias80
	tiny, wrapped := be <= 0, false
	if be == 0 && !e.TinyBefore {
		s, f := split(lo, 0, p)
		tiny = !(hi == ^uint64(0) && s == uint64(ones) && e.Round.carriesUp(w.sign, true, f))
	}
	if tiny && e.Unmasked&Underflow != 0 {
		e.Flags |= Underflow
		if be += wrap(bias80); be <= 0 {
			e.Flags |= Inexact
			return 0, 0, 0
		}
		wrapped = true
	}
	denormal := be <= 0
	if denormal {
		hi, lo = shiftRightJam(hi, lo, uint32(1-be))
		be = 0
	}
	sig, frac := split(lo, 0, p)
	if frac != 0 {
		e.Flags |= Inexact
		if tiny && !wrapped {
			e.Flags |= Underflow
		}
		if e.Round.carriesUp(w.sign, sig&ulp != 0, frac) {
			e.Flags |= RoundedUp
			var c uint64
			sig, c = bits.Add64(sig, ulp, 0)
			hi, c = bits.Add64(hi, 0, c)
			if c != 0 {
				hi, be = top, be+1
			}
		}
	}
	if denormal {
		return hi, sig, int32(hi >> 63)
	}
	if be <= 2*bias80 {
		return hi, sig, be
	}
	e.Flags |= Overflow
	if e.Unmasked&Overflow != 0 {
		if be -= wrap(bias80); be <= 2*bias80 {
			return hi, sig, be
		}
		e.Flags |= Inexact | RoundedUp
		return top, 0, 2*bias80 + 1
	}
	e.Flags |= Inexact
	if e.Round.toInfinity(w.sign) {
		e.Flags |= RoundedUp
		return top, 0, 2*bias80 + 1
	}
	return ^uint64(0), uint64(ones), 2 * bias80
}
