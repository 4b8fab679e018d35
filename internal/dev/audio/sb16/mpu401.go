package sb16

import "rhea/internal/snap"

// mpu is an MPU-401 that knows UART mode (chapter 5, "MIDI"). Nothing is on
// its connectors.
type mpu struct {
	uart bool
	acks uint8 // bytes FEh to be read
}

const (
	mpuACK      = 0xfe
	mpuReset    = 0xff
	mpuUART     = 0x3f
	mpuNoData   = 1 << 7
	mpuMaxACKs  = 8
	mpuStatusOK = 0x3f // ready for data
)

func (s *Card) readMPU(off uint64) uint8 {
	m := &s.mpu
	if off == 1 {
		if m.acks == 0 {
			return mpuStatusOK | mpuNoData
		}
		return mpuStatusOK
	}
	if m.acks > 0 {
		m.acks--
	}
	s.acknowledge(irqMPU)
	return mpuACK
}

func (s *Card) writeMPU(off uint64, v uint8) {
	m := &s.mpu
	if off == 0 {
		return // MIDI data
	}
	switch {
	case v == mpuReset:
		m.uart = false
	case m.uart:
		return
	case v == mpuUART:
		m.uart = true
	}
	m.acks = min(m.acks+1, mpuMaxACKs)
}

func (m *mpu) state(s *snap.Section) {
	s.Version(1)
	s.Bool("uart", &m.uart)
	s.U8("acks", &m.acks)
	s.Check(m.acks <= mpuMaxACKs, "acks is out of range")
}
