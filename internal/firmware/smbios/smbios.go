// Package smbios builds the System Management BIOS tables of a PC (DSP0134,
// version 2.8), which firmware that reads fw_cfg installs.
package smbios

import (
	"encoding/binary"
	"fmt"
)

// Info is what the tables tell.
type Info struct {
	Manufacturer, Product, Version, Serial, SKU, Family string // of the system
	BIOSVendor, BIOSVersion, BIOSDate                   string // MM/DD/YYYY
	ChassisManufacturer                                 string
	UUID                                                [16]byte
	CPUModel, CPUVendor                                 string
	CPUs                                                int
	RAM                                                 uint64 // bytes
	RAMBelow                                            uint64 // of it below 4 GiB
	OEMStrings                                          []string
}

// The files of fw_cfg.
const (
	TablesFile = "etc/smbios/smbios-tables"
	AnchorFile = "etc/smbios/smbios-anchor"
)

// structure is one table being built: the formatted area and its strings.
type structure struct {
	b       []byte
	strings []string
}

func (s *structure) u8(v ...uint8) { s.b = append(s.b, v...) }
func (s *structure) u16(v uint16)  { s.b = binary.LittleEndian.AppendUint16(s.b, v) }
func (s *structure) u32(v uint32)  { s.b = binary.LittleEndian.AppendUint32(s.b, v) }
func (s *structure) u64(v uint64)  { s.b = binary.LittleEndian.AppendUint64(s.b, v) }
func (s *structure) text(t string) { // the number of the string, 0 = none
	if t == "" {
		s.u8(0)
		return
	}
	s.strings = append(s.strings, t)
	s.u8(uint8(len(s.strings)))
}

// tables collects structures.
type tables struct {
	b     []byte
	count int
	max   int
}

// add appends a structure of type typ with handle h (§6.1.2).
func (t *tables) add(typ uint8, h uint16, fill func(*structure)) {
	s := &structure{b: []byte{typ, 0, byte(h), byte(h >> 8)}}
	fill(s)
	s.b[1] = byte(len(s.b))
	for _, x := range s.strings {
		s.b = append(append(s.b, x...), 0)
	}
	if len(s.strings) == 0 {
		s.b = append(s.b, 0)
	}
	s.b = append(s.b, 0)
	t.b = append(t.b, s.b...)
	t.count++
	t.max = max(t.max, len(s.b))
}

// Handles of structures that refer to one another.
const (
	handleChassis = 0x300
	handleCPU     = 0x400
	handleArray   = 0x1000
	handleDIMM    = 0x1100
	handleMapped  = 0x1300
)

const maxDIMM = 16 << 30

// Build returns the tables and their entry point.
func (in *Info) Build() (tab, anchor []byte) {
	t := &tables{}
	def := func(v, d string) string {
		if v == "" {
			return d
		}
		return v
	}
	t.add(0, 0, func(s *structure) { // BIOS
		s.text(def(in.BIOSVendor, "SeaBIOS"))
		s.text(def(in.BIOSVersion, "unknown"))
		s.u16(0xe800)
		s.text(def(in.BIOSDate, "04/01/2014"))
		s.u8(0)
		s.u64(1 << 3)      // characteristics are not given
		s.u8(0, 1<<2|1<<4) // targeted content distribution; a virtual machine
		s.u8(0, 0, 0xff, 0xff)
	})
	t.add(1, 0x100, func(s *structure) { // system
		s.text(def(in.Manufacturer, "rhea"))
		s.text(def(in.Product, "Standard PC (i440FX + PIIX, 1996)"))
		s.text(in.Version)
		s.text(in.Serial)
		// The first three fields are little-endian (§7.2.1).
		u := in.UUID
		s.u8(u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6])
		s.u8(u[8:]...)
		s.u8(6) // woken by the power switch
		s.text(in.SKU)
		s.text(in.Family)
	})
	t.add(3, handleChassis, func(s *structure) {
		s.text(def(in.ChassisManufacturer, "rhea"))
		s.u8(1) // other
		s.text(in.Version)
		s.u8(0, 0)
		s.u8(3, 3, 3, 2) // safe; security unknown
		s.u32(0)
		s.u8(0, 0, 0, 0)
		s.u8(0)
	})
	for i := range max(in.CPUs, 1) {
		t.add(4, uint16(handleCPU+i), func(s *structure) {
			s.text(fmt.Sprintf("CPU %d", i))
			s.u8(3, 1) // central processor, family other
			s.text(def(in.CPUVendor, "rhea"))
			s.u64(0) // id
			s.text(in.CPUModel)
			s.u8(0)
			s.u16(0)    // external clock unknown
			s.u16(2000) // MHz, largest and current
			s.u16(2000)
			s.u8(0x41, 1) // enabled; upgrade other
			s.u16(0xffff) // no cache information
			s.u16(0xffff)
			s.u16(0xffff)
			s.u8(0, 0, 0)
			s.u8(1, 1, 1) // cores, enabled, threads
			s.u16(2)
			s.u16(1)
		})
	}
	in.memory(t)
	t.add(32, 0x2000, func(s *structure) { // boot
		s.u8(make([]byte, 7)...)
	})
	if len(in.OEMStrings) > 0 {
		t.add(11, 0x0e00, func(s *structure) {
			s.u8(uint8(len(in.OEMStrings)))
			s.strings = in.OEMStrings
		})
	}
	t.add(127, 0x7f00, func(*structure) {})
	return t.b, t.anchor()
}

// memory describes one array of modules of at most 16 GiB.
func (in *Info) memory(t *tables) {
	n := int((in.RAM + maxDIMM - 1) / maxDIMM)
	t.add(16, handleArray, func(s *structure) {
		s.u8(1, 3, 6) // other; system memory; multi-bit ECC
		if in.RAM < 2<<40 {
			s.u32(uint32(in.RAM >> 10))
		} else {
			s.u32(0x80000000)
		}
		s.u16(0xfffe)
		s.u16(uint16(n))
		if in.RAM < 2<<40 {
			s.u64(0)
		} else {
			s.u64(in.RAM)
		}
	})
	for i := range n {
		size := min(in.RAM-uint64(i)*maxDIMM, maxDIMM)
		t.add(17, uint16(handleDIMM+i), func(s *structure) {
			s.u16(handleArray)
			s.u16(0xfffe)
			s.u16(0xffff) // widths
			s.u16(0xffff)
			s.u16(uint16(size >> 20))
			s.u8(9, 0) // DIMM
			s.text(fmt.Sprintf("DIMM %d", i))
			s.u8(0)
			s.u8(7) // RAM
			s.u16(2)
			s.u16(0)
			s.text(in.ChassisManufacturer)
			s.u8(0, 0, 0, 0)
			s.u32(0)
			s.u16(0)
			s.u16(0)
			s.u16(0)
			s.u16(0)
		})
	}
	mapped := func(i int, start, size uint64) {
		t.add(19, uint16(handleMapped+i), func(s *structure) {
			if end := start + size; end <= 4<<40 {
				s.u32(uint32(start >> 10))
				s.u32(uint32(end>>10 - 1))
				s.u16(handleArray)
				s.u8(1)
				s.u64(0)
				s.u64(0)
				return
			}
			s.u32(0xffffffff)
			s.u32(0xffffffff)
			s.u16(handleArray)
			s.u8(1)
			s.u64(start)
			s.u64(start + size - 1)
		})
	}
	mapped(0, 0, in.RAMBelow)
	if in.RAM > in.RAMBelow {
		mapped(1, 1<<32, in.RAM-in.RAMBelow)
	}
}

// anchor is the entry point structure (§5.2.1). The firmware fills in the
// address and the sums.
func (t *tables) anchor() []byte {
	b := make([]byte, 31)
	copy(b, "_SM_")
	b[5] = 31
	b[6], b[7] = 2, 8
	binary.LittleEndian.PutUint16(b[8:], uint16(t.max))
	copy(b[16:], "_DMI_")
	binary.LittleEndian.PutUint16(b[22:], uint16(len(t.b)))
	binary.LittleEndian.PutUint16(b[28:], uint16(t.count))
	b[30] = 0x28
	sum := func(b []byte) (s byte) {
		for _, v := range b {
			s -= v
		}
		return s
	}
	b[21] = sum(b[16:])
	b[4] = sum(b)
	return b
}
