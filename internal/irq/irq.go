// Package irq has the wires between parts. A Line is an output pin; what it
// is soldered to is the board's business.
package irq

// Line drives a level. A nil Line is a pin that is not connected.
type Line func(level bool)

// Set drives the level of l.
func (l Line) Set(level bool) {
	if l != nil {
		l(level)
	}
}

// Pulse raises and lowers l: one edge.
func (l Line) Pulse() {
	l.Set(true)
	l.Set(false)
}

// Invert returns a line that drives out with the opposite level.
func Invert(out Line) Line { return func(level bool) { out.Set(!level) } }

// Split returns a line that drives all of outs.
func Split(outs ...Line) Line {
	return func(level bool) {
		for _, o := range outs {
			o.Set(level)
		}
	}
}

// Or returns n lines; out is high while any of them is (a wired or).
func Or(n int, out Line) []Line {
	levels := make([]bool, n)
	lines := make([]Line, n)
	high := 0
	for i := range lines {
		lines[i] = func(level bool) {
			if levels[i] == level {
				return
			}
			levels[i] = level
			if level {
				high++
			} else {
				high--
			}
			out.Set(high > 0)
		}
	}
	return lines
}
