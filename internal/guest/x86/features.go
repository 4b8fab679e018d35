package x86

// Has reports whether the processor has what a line of the opcode maps asks
// for: a feature by its CPUID name, or a generation.
func (m *Model) Has(name string) bool {
	switch name {
	case "486":
		return m.Family >= 4
	case "p6":
		return m.Family >= 6
	case "cpuid":
		return true
	case "smm":
		return true // refused outside SMM
	case "3dnowprefetch":
		return m.Family >= 6
	}
	for _, f := range featureNames() {
		if f.name == name {
			return m.has(f.feature)
		}
	}
	panic("BUG: x86: no feature " + name)
}
