package piix4pm

import "rhea/internal/snap"

// Registers at SMBBA (§7.3).
const (
	smbhststs = 0 // status
	smbhstcnt = 2 // control
	smbhstcmd = 3
	smbhstadd = 4
	smbhstdt0 = 5
	smbhstdt1 = 6
	smbblkdat = 7
)

const (
	smbDevErr = 1 << 2
	smbStart  = 1 << 6
)

// smbus is the host controller of an empty bus: each transaction ends at
// once, nobody having acknowledged the address.
type smbus struct {
	regs  [16]byte
	block [32]byte
	index int // of block
}

func (m *smbus) reset() { *m = smbus{} }

// Read implements mem.MMIO.
func (m *smbus) Read(off uint64, size int) uint64 {
	switch off &= 15; off {
	case smbhstcnt:
		m.index = 0 // §7.3.3: reading it starts the block buffer again
	case smbblkdat:
		v := m.block[m.index]
		m.index = (m.index + 1) % len(m.block)
		return uint64(v)
	}
	return uint64(m.regs[off])
}

// Write implements mem.MMIO.
func (m *smbus) Write(off uint64, size int, v uint64) {
	switch off &= 15; off {
	case smbhststs:
		m.regs[off] &^= byte(v)
	case smbhstcnt:
		m.regs[off] = byte(v) &^ smbStart
		if v&smbStart != 0 {
			m.regs[smbhststs] |= smbDevErr
		}
	case smbblkdat:
		m.block[m.index] = byte(v)
		m.index = (m.index + 1) % len(m.block)
	default:
		m.regs[off] = byte(v)
	}
}

func (m *smbus) state(s *snap.Section) {
	s.Version(1)
	s.Bytes("registers", m.regs[:])
	s.Bytes("block", m.block[:])
	s.Int("index", &m.index, 0, len(m.block)-1)
}
