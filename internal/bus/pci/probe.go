package pci

import "rhea/internal/mem"

// Space returns f's configuration space as registers, for tests and for
// boards with another way to it.
func (f *Function) Space() mem.MMIO {
	return mem.Handlers{
		R: func(off uint64, size int) uint64 { return uint64(f.readConfig(int(off), min(size, 4))) },
		W: func(off uint64, size int, v uint64) { f.writeConfig(int(off), min(size, 4), uint32(v)) },
	}
}
