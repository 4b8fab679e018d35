package pci

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// MatchROM returns an expansion ROM's image for a function: its data structure
// (PCI 2.1 §6.3.1.2) names the part that it is for, and firmware starts it for
// no other. Images made for several parts name none, and get the function's
// vendor and device here; the checksum stays right by the byte behind the
// entry jump.
func MatchROM(image []byte, vendor, device uint16) []byte {
	const pointer, spare = 0x18, 6
	if len(image) < 0x1a || image[0] != 0x55 || image[1] != 0xaa {
		return image
	}
	at := int(binary.LittleEndian.Uint16(image[pointer:]))
	if at+8 > len(image) || !bytes.Equal(image[at:at+4], []byte("PCIR")) {
		return image
	}
	out := slices.Clone(image)
	binary.LittleEndian.PutUint16(out[at+4:], vendor)
	binary.LittleEndian.PutUint16(out[at+6:], device)
	for i := at + 4; i < at+8; i++ {
		out[spare] += image[i] - out[i]
	}
	return out
}
