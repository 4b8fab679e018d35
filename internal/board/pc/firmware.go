package pc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rhea/internal/dev/misc/fwcfg"
	"rhea/internal/dev/pci/i440fx"
	"rhea/internal/firmware/acpi"
	"rhea/internal/firmware/load"
	"rhea/internal/firmware/smbios"
	"rhea/internal/mem"
)

// firmware fills what firmware learns about the machine from: fw_cfg, CMOS,
// option ROMs.
func (m *Machine) firmware() error {
	f := fwcfg.New(fwcfg.Config{Env: m.env, DMA: m.Memory})
	m.FwCfg = f
	m.Ports.Add(0x510, f.Region())
	m.Ports.Add(0x514, f.DMARegion())
	m.add("isa/fwcfg", f)

	f.AddItem(fwcfg.UUID, m.c.UUID[:])
	f.AddItem(fwcfg.RAMSize, binary.LittleEndian.AppendUint64(nil, m.c.RAM))
	noGraphic := uint16(0)
	if m.c.NoGraphic {
		noGraphic = 1
	}
	f.AddU16(fwcfg.NoGraphic, noGraphic)
	f.AddU16(fwcfg.NumCPUs, 1)
	f.AddU16(fwcfg.MaxCPUs, 1)
	f.AddItem(fwcfg.NUMA, make([]byte, 16)) // no nodes, one CPU
	f.AddItem(fwcfg.IRQ0Override, []byte{1})
	menu := uint16(0)
	if m.c.Boot.Menu {
		menu = 1
	}
	f.AddU16(fwcfg.BootMenu, menu)

	files := map[string][]byte{"etc/e820": m.e820()}
	// Without this file SeaBIOS would reboot after a minute.
	files["etc/boot-fail-wait"] = binary.LittleEndian.AppendUint32(nil, uint32(m.c.Boot.RebootAfter-1))
	if m.c.Boot.Wait > 0 {
		files["etc/boot-menu-wait"] = binary.LittleEndian.AppendUint16(nil, uint16(min(m.c.Boot.Wait, 0xffff)))
	}
	if order := m.bootFile(); order != nil {
		files["bootorder"] = order
	}
	if err := m.optionROMs(files); err != nil {
		return err
	}
	for name, data := range m.c.Files {
		files[name] = data
	}
	for name, data := range files {
		if err := f.AddFile(name, data); err != nil {
			return err
		}
	}
	if err := m.tables(); err != nil {
		return err
	}
	if err := checkOrder(m.c.Boot.Order); err != nil {
		return err
	}
	if err := checkOrder(m.c.Boot.Once); err != nil {
		return err
	}
	m.cmos()
	return nil
}

// below4G is how much RAM lies below 4 GiB.
func (m *Machine) below4G() uint64 {
	if m.c.Kind == ISA {
		return m.c.RAM
	}
	return i440fx.BelowFourGiB(m.c.RAM)
}

// e820 lists RAM for the firmware: address, length, type 1.
func (m *Machine) e820() []byte {
	var b []byte
	add := func(addr, size uint64) {
		b = binary.LittleEndian.AppendUint64(b, addr)
		b = binary.LittleEndian.AppendUint64(b, size)
		b = binary.LittleEndian.AppendUint32(b, 1)
	}
	below := m.below4G()
	add(0, below)
	if m.c.RAM > below {
		add(1<<32, m.c.RAM-below)
	}
	return b
}

// bootPlace is a device's place in the firmware's boot order, by its path in
// Open Firmware's notation.
type bootPlace struct {
	index int
	path  string
}

// BootFrom puts a part of a Slot into the firmware's boot order; index is as a
// Drive's BootIndex.
func (m *Machine) BootFrom(index int, path string) { m.boot = append(m.boot, bootPlace{index, path}) }

// bootFile is the "bootorder" file: the paths of the drives with a boot index,
// as SeaBIOS names them (src/boot.c, bootprio_find_ata_device,
// bootprio_find_fdc_device and bootprio_find_named_rom).
func (m *Machine) bootFile() []byte {
	places := slices.Clone(m.boot)
	for i, d := range m.c.Drives {
		if d != nil && d.BootIndex > 0 {
			places = append(places, bootPlace{d.BootIndex, fmt.Sprintf("/pci@i0cf8/ide@1,1/drive@%x/disk@%x", i/2, i%2)})
		}
	}
	for i, d := range m.c.Floppies {
		if d != nil && d.BootIndex > 0 {
			places = append(places, bootPlace{d.BootIndex, fmt.Sprintf("/pci@i0cf8/isa@1/fdc@03f0/floppy@%x", i)})
		}
	}
	for _, r := range m.c.OptionROMs {
		if r.BootIndex > 0 {
			places = append(places, bootPlace{r.BootIndex, "/rom@genroms/" + r.Name})
		}
	}
	slices.SortStableFunc(places, func(a, b bootPlace) int { return a.index - b.index })
	var lines []string
	for _, p := range places {
		lines = append(lines, p.path)
	}
	if m.c.Boot.Strict {
		lines = append(lines, "HALT")
	}
	if len(lines) == 0 {
		return nil
	}
	return append([]byte(strings.Join(lines, "\n")), 0)
}

// pamSegment is what the host bridge turns between ROM and RAM at once
// (82441FX datasheet 3.2.20).
const pamSegment = 16 << 10

// optionROMs gives ROMs to the firmware in both ways: as files, for SeaBIOS,
// and mapped where an AT's BIOS looks for them. SeaBIOS clears that area
// before it loads the files.
func (m *Machine) optionROMs(files map[string][]byte) error {
	roms := m.c.OptionROMs
	if k := m.c.Kernel; k != nil {
		l, err := load.NewLinux(k.Image, k.Initrd, k.Cmdline, m.below4G())
		if err != nil {
			return &KernelError{err}
		}
		l.Store(m.FwCfg)
		roms = append(roms[:len(roms):len(roms)], OptionROM{Name: "rhea-linuxboot.bin", Data: l.OptionROM()})
	}
	if len(m.c.VGABIOS) > 0 && m.c.Kind == ISA && m.c.VGA != VGANone {
		files["vgaroms/vgabios.bin"] = m.c.VGABIOS
	}
	// The Bochs BIOS copies the VGA ROM to RAM and has the chipset show RAM in
	// each of its 16 KiB segments that the ROM reaches into: another ROM in
	// the last of them would be gone before it is looked for.
	at := max(uint64(0xc8000), 0xc0000+(uint64(len(m.c.VGABIOS))+pamSegment-1)&^(pamSegment-1))
	bios := uint64(len(m.c.BIOS))
	m.images = []ROM{{Name: m.c.BIOSName, Addr: 1<<32 - bios, Size: bios}}
	if n := uint64(len(m.c.VGABIOS)); n > 0 && m.c.VGA != VGANone {
		m.images = append(m.images, ROM{Name: m.c.VGABIOSName, Addr: 0xc0000, Size: n})
	}
	for _, r := range roms {
		m.images = append(m.images, ROM{Name: r.Name, File: "genroms/" + r.Name, Size: uint64(len(r.Data))})
		if len(r.Data) < 3 || r.Data[0] != 0x55 || r.Data[1] != 0xaa {
			return fmt.Errorf("option ROM %s does not begin with 55 AA", r.Name)
		}
		files["genroms/"+r.Name] = r.Data
		size := (uint64(len(r.Data)) + 2047) &^ 2047
		end := uint64(0xe0000)
		if at+size > end {
			return errors.New("there are more option ROMs than fit below E0000h")
		}
		m.adapterROM(r.Name, at, size, r.Data)
		at += size
	}
	return nil
}

// adapterROM maps a ROM in C0000h-DFFFFh.
func (m *Machine) adapterROM(name string, at, size uint64, data []byte) {
	if m.c.Kind != ISA {
		m.ISA.Add(at, mem.NewROM(name, size, data), 1)
		return
	}
	m.low = append(m.low, shadow{m.roms, at - 0xc0000, data})
}

var bootCodes = map[rune]uint8{'a': 1, 'b': 1, 'c': 2, 'd': 3, 'n': 4}

func checkOrder(order string) error {
	for _, c := range order {
		if bootCodes[c] == 0 {
			return fmt.Errorf("boot order %q: %q is none of a, b, c, d, n", order, c)
		}
	}
	return nil
}

// SetBootOrder changes the order of boot devices for good.
func (m *Machine) SetBootOrder(order string) error {
	if err := checkOrder(order); err != nil {
		return err
	}
	m.c.Boot.Order, m.c.Boot.Once = order, ""
	m.bootOrder()
	return nil
}

// bootOrder puts the boot devices into CMOS: 3Dh the first two, the upper
// half of 38h the third. Bit 0 of 38h turns the check of a floppy's boot
// signature off.
func (m *Machine) bootOrder() {
	order := m.c.Boot.Order
	if m.resets == 0 && m.c.Boot.Once != "" {
		order = m.c.Boot.Once
	}
	if order == "" {
		order = "cad"
	}
	var codes [3]uint8
	n := 0
	for _, c := range order {
		if n < len(codes) {
			codes[n] = bootCodes[c]
			n++
		}
	}
	m.RTC.Set(0x3d, codes[1]<<4|codes[0])
	v := codes[2] << 4
	if m.c.Boot.NoSignature {
		v |= 1
	}
	m.RTC.Set(0x38, v)
}

// cmos fills the RTC's RAM with what setup would have: the AT's fields, the
// Bochs BIOS's and SeaBIOS's.
func (m *Machine) cmos() {
	set16 := func(at int, v uint64) {
		v = min(v, 0xffff)
		m.RTC.Set(at, uint8(v))
		m.RTC.Set(at+1, uint8(v>>8))
	}
	below := m.below4G()
	kib := below >> 10
	ext := max(kib, 1024) - 1024
	set16(0x15, 640)
	set16(0x17, ext)
	set16(0x30, ext)
	set16(0x34, (max(below, 16<<20)-16<<20)>>16)
	high := (m.c.RAM - below) >> 16
	set16(0x5b, high&0xffff)
	m.RTC.Set(0x5d, uint8(high>>16))
	m.RTC.Set(0x5f, 0)       // processors less one
	equipment := uint8(0x06) // coprocessor, PS/2 mouse
	a, b := m.FDC.Type(0), m.FDC.Type(1)
	m.RTC.Set(0x10, a<<4|b)
	switch {
	case a != 0 && b != 0:
		equipment |= 0x41 // two floppy drives
	case a != 0 || b != 0:
		equipment |= 0x01
	}
	m.RTC.Set(0x14, equipment)
	m.disks()
}

// disks puts the disks' geometries into CMOS: 12h types, 19h and 1Ah extended
// types, 1Bh on and 24h on geometries, 39h translations.
func (m *Machine) disks() {
	var types, trans uint8
	for i := range 4 {
		if m.IDE[i/2] == nil {
			continue
		}
		cyl, heads, sectors, ok := m.IDE[i/2].Geometry(i % 2)
		if !ok {
			continue
		}
		t, ok := translations[m.c.Drives[i].Translation]
		if !ok {
			t = translation(cyl, heads)
		}
		trans |= t << (2 * i)
		if i > 1 {
			continue // CMOS has room for two
		}
		types |= 0xf0 >> (4 * i)
		m.RTC.Set(0x19+i, 47)
		at := 0x1b + 9*i
		control := uint8(0xc0)
		if heads > 8 {
			control |= 8
		}
		for j, v := range []uint8{uint8(cyl), uint8(cyl >> 8), uint8(heads), 0xff, 0xff, control,
			uint8(cyl), uint8(cyl >> 8), uint8(sectors)} {
			m.RTC.Set(at+j, v)
		}
	}
	m.RTC.Set(0x12, types)
	m.RTC.Set(0x39, trans)
}

// translations are the codes of CMOS 39h.
var translations = map[string]uint8{"none": 0, "lba": 1, "large": 2, "rechs": 3}

// translation is how the firmware makes a geometry fit INT 13h: 0 not at all,
// 2 by doubling heads, 1 by LBA.
func translation(cyl, heads int) uint8 {
	switch {
	case cyl <= 1024:
		return 0
	case cyl*heads <= 131072:
		return 2
	}
	return 1
}

// tables gives ACPI and SMBIOS tables to the firmware.
func (m *Machine) tables() error {
	cpus := 0
	if m.APIC != nil {
		cpus = 1
	}
	if m.PM != nil && !m.c.NoACPI {
		p := &acpi.PC{CPUs: cpus, RAMBelow: m.below4G()}
		if m.c.Panic != nil {
			p.Panic = uint16(m.c.PanicAt)
		}
		for i, c := range m.c.Serial {
			p.Serial[i] = c != nil
		}
		for i, c := range m.c.Parallel {
			p.Parallel[i] = c != nil
		}
		for i := range p.Floppy {
			if t := m.FDC.Type(i); t != 0 {
				d := &acpi.Floppy{Type: t}
				d.Tracks, d.Heads, d.Sectors = m.FDC.Geometry(i)
				p.Floppy[i] = d
			}
		}
		for _, f := range p.Files() {
			if err := m.FwCfg.AddFile(f.Name, f.Data); err != nil {
				return err
			}
		}
	}
	in := m.c.SMBIOS
	in.UUID, in.CPUs, in.RAM, in.RAMBelow = m.c.UUID, 1, m.c.RAM, m.below4G()
	if in.Product == "" && m.c.Kind == ISA {
		in.Product = "ISA-only PC"
	}
	tables, anchor := in.Build()
	if err := m.FwCfg.AddFile(smbios.TablesFile, tables); err != nil {
		return err
	}
	return m.FwCfg.AddFile(smbios.AnchorFile, anchor)
}
