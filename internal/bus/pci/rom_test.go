package pci

import (
	"encoding/binary"
	"testing"
)

func TestMatchROM(t *testing.T) {
	b := make([]byte, 512)
	copy(b, []byte{0x55, 0xaa, 1, 0xeb, 0x10, 0, 0xa5})
	b[0x18] = 0x1c
	copy(b[0x1c:], "PCIR")
	sum := func(b []byte) (s byte) {
		for _, x := range b {
			s += x
		}
		return s
	}
	b[511] -= sum(b)
	m := MatchROM(b, 0x10ec, 0x8029)
	if sum(m) != 0 || binary.LittleEndian.Uint16(m[0x20:]) != 0x10ec || binary.LittleEndian.Uint16(m[0x22:]) != 0x8029 || b[0x20] != 0 {
		t.Errorf("sum %#x, % x", sum(m), m[0x1c:0x24])
	}
	for _, bad := range [][]byte{nil, {0x55, 0xaa}, make([]byte, 64)} {
		MatchROM(bad, 1, 2)
	}
	b[0x18], b[0x19] = 0xff, 0xff
	MatchROM(b, 1, 2)
}
