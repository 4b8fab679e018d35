package softfloat

// defaultNaN is the NaN of an invalid operation.
func (e *Env) defaultNaN() wide {
	switch e.NaN {
	case NaNSSE, NaNX87:
		return wide{hi: top | quietBit, sign: 1, cls: qnan}
	case NaNSPARC:
		return wide{hi: ^uint64(0), lo: ^uint64(0), cls: qnan}
	}
	return wide{hi: top | quietBit, cls: qnan}
}

// invalid raises Invalid and delivers the default NaN.
func (e *Env) invalid() wide {
	e.Flags |= Invalid
	return e.defaultNaN()
}

// quiet makes the NaN a the result of an operation.
func (e *Env) quiet(a wide) wide {
	if a.cls != qnan {
		e.Flags |= Invalid
	}
	if a.cls == bad || e.DefaultNaN {
		return e.defaultNaN()
	}
	a.hi |= quietBit
	a.cls = qnan
	return a
}

// nan2 delivers the result of an operation on a and b, one or both NaNs.
func (e *Env) nan2(a, b wide) wide {
	if a.cls > qnan || b.cls > qnan {
		e.Flags |= Invalid
	}
	if a.cls == bad || b.cls == bad {
		return e.defaultNaN()
	}
	if e.firstNaN(a, b) {
		return e.quiet(a)
	}
	return e.quiet(b)
}

// firstNaN decides which of a and b, one or both NaNs, an operation delivers.
func (e *Env) firstNaN(a, b wide) bool {
	if !b.cls.isNaN() || !a.cls.isNaN() {
		return a.cls.isNaN()
	}
	switch e.NaN {
	case NaNX87:
		switch {
		case a.cls != b.cls:
			return a.cls == qnan
		case a.hi != b.hi:
			return a.hi > b.hi
		case a.lo != b.lo:
			return a.lo > b.lo
		}
		return a.sign <= b.sign
	case NaNARM:
		return a.cls == snan || b.cls != snan
	case NaNSPARC:
		return a.cls == snan && b.cls != snan
	}
	return true
}

// nan3 delivers the result of a*b+c, where at least one operand is a NaN.
// infZero says that a*b is infinity times zero (so c is the NaN).
func (e *Env) nan3(a, b, c wide, infZero bool) wide {
	if infZero {
		switch e.InfZero {
		case InfZeroDefault:
			return e.invalid()
		case InfZeroInvalid:
			e.Flags |= Invalid
		}
		return e.quiet(c)
	}
	if a.cls > qnan || b.cls > qnan || c.cls > qnan {
		e.Flags |= Invalid
	}
	// The order in which the architecture looks at its operands.
	switch e.NaN {
	case NaNARM:
		a, b, c = c, a, b
	case NaNPPC:
		b, c = c, b
	}
	if (a.cls.isNaN() || b.cls.isNaN()) && e.firstNaN(a, b) {
		b = a
	}
	if e.firstNaN(b, c) {
		return e.quiet(b)
	}
	return e.quiet(c)
}
