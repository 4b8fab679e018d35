package acpi

import "fmt"

// PC is what the tables of a PC with a 440FX and a PIIX3 depend on.
type PC struct {
	CPUs     int    // processors, with local APIC numbers from 0; 0 = no APIC at all
	RAMBelow uint64 // end of RAM below 4 GiB: the PCI hole begins there
	Serial   [4]bool
	Parallel [3]bool
	Panic    uint16     // port of the pvpanic device; 0 = none
	Floppy   [2]*Floppy // nil = no such drive
	PMBase   uint16     // where the firmware puts the PM registers; 0 = 600h
	SMBBase  uint16     // and the SMBus's; 0 = 700h
}

// Floppy is a floppy drive.
type Floppy struct {
	Type                   uint8 // as CMOS and INT 13h have it
	Tracks, Heads, Sectors int
}

const (
	pciHoleEnd = 0xfebfffff
	lapicAddr  = 0xfee00000
	ioapicAddr = 0xfec00000
	sciIRQ     = 9
)

// The interrupts that PIRQs may be routed to.
var pirqs = []uint32{5, 10, 11}

// dsdt is the machine in AML.
func (p *PC) dsdt() term {
	sleep := func(n string, typ uint64) term {
		return named(n, pkg(integer(typ), integer(typ), integer(0), integer(0)))
	}
	body := join(
		scope(`\_SB`, p.pci0(), p.links()),
		sleep(`\_S4`, 2), // SLP_TYP values of the PIIX4
		sleep(`\_S5`, 0),
	)
	if p.CPUs > 0 {
		var cpus []term
		for i := range p.CPUs {
			cpus = append(cpus, processor(fmt.Sprintf("CP%02X", i), byte(i)))
		}
		body = append(body, scope(`\_PR`, cpus...)...)
	}
	return body
}

func (p *PC) pci0() term {
	return device("PCI0",
		named("_HID", eisaID("PNP0A03")),
		named("_UID", integer(0)),
		named("_CRS", resources(
			wordRange(kindBus, 0, 0xff),
			ioPort(0xcf8, 8),
			wordRange(kindIO, 0x0000, 0x0cf7),
			wordRange(kindIO, 0x0d00, 0xffff),
			dwordRange(0xa0000, 0xbffff, true),
			dwordRange(uint32(p.RAMBelow), pciHoleEnd, false),
		)),
		named("_PRT", p.routes()),
		p.isa(),
	)
}

// routes is the wiring of the slots' pins to the PIRQs: (device-1+pin)%4.
func (p *PC) routes() term {
	var all []term
	for dev := 1; dev < 32; dev++ {
		for pin := range 4 {
			link := fmt.Sprintf(`\_SB.LNK%c`, 'A'+(dev-1+pin)&3)
			all = append(all, pkg(integer(uint64(dev)<<16|0xffff), integer(uint64(pin)), name(link), integer(0)))
		}
	}
	return pkg(all...)
}

// links are the PIIX3's routers, PIRQRC in its configuration space.
func (p *PC) links() term {
	var all []term
	for i := range 4 {
		reg := name(fmt.Sprintf(`\_SB.PCI0.ISA_.PRQ%d`, i))
		all = append(all, device(fmt.Sprintf("LNK%c", 'A'+i),
			named("_HID", eisaID("PNP0C0F")),
			named("_UID", integer(uint64(i))),
			named("_PRS", resources(extendedIRQ(pirqs...))),
			method("_STA", 0,
				ifThen(and(reg, integer(0x80), none), ret(integer(9))), // present but disabled
				ret(integer(11))),
			method("_DIS", 0, or(reg, integer(0x80), reg)),
			method("_CRS", 0,
				named("BUF_", resources(extendedIRQ(0))),
				dwordField(name("BUF_"), 5, "IRQ_"),
				store(integer(0), name("IRQ_")),
				and(reg, integer(0x80), local0),
				ifThen(join(term{0x92}, local0), // not disabled
					and(reg, integer(0x0f), name("IRQ_"))),
				ret(name("BUF_"))),
			method("_SRS", 1,
				dwordField(arg0, 5, "IRQW"),
				and(name("IRQW"), integer(0x0f), reg)),
		))
	}
	return join(all...)
}

// isa is the bridge with what is behind it.
func (p *PC) isa() term {
	part := func(n, id string, rs ...[]byte) term {
		return device(n, named("_HID", eisaID(id)), named("_CRS", resources(rs...)))
	}
	pm, smb := p.PMBase, p.SMBBase
	if pm == 0 {
		pm = 0x600
	}
	if smb == 0 {
		smb = 0x700
	}
	parts := []term{
		named("_ADR", integer(0x00010000)),
		region("PIRQ", pciConfig, 0x60, 4),
		fields("PIRQ", "PRQ0", "PRQ1", "PRQ2", "PRQ3"),
		part("PIC_", "PNP0000", ioPort(0x20, 2), ioPort(0xa0, 2), ioPort(0x4d0, 2), irqFlags(2)),
		part("DMAC", "PNP0200", ioPort(0x00, 16), ioPort(0x81, 15), ioPort(0xc0, 32), dmaChannel(4)),
		part("TMR_", "PNP0100", ioPort(0x40, 4), irqFlags(0)),
		part("RTC_", "PNP0B00", ioPort(0x70, 2), irqFlags(8)),
		part("SPKR", "PNP0800", ioPort(0x61, 1)),
		part("FPU_", "PNP0C04", ioPort(0xf0, 2), irqFlags(13)),
		part("KBD_", "PNP0303", ioPort(0x60, 1), ioPort(0x64, 1), irqFlags(1)),
		part("MOU_", "PNP0F13", irqFlags(12)),
		part("SYSR", "PNP0C02", ioPort(0x92, 1), ioPort(0xb2, 2), ioPort(pm, 64), ioPort(smb, 16)),
		device("FWCF",
			named("_HID", text("QEMU0002")),
			named("_STA", integer(11)),
			named("_CRS", resources(ioPort(0x510, 12)))),
	}
	if p.Panic != 0 {
		parts = append(parts, device("PEVT",
			named("_HID", text("QEMU0001")),
			named("_STA", integer(11)),
			named("_CRS", resources(ioPort(p.Panic, 1)))))
	}
	parts = append(parts, p.floppies())
	for i, on := range p.Serial {
		if on {
			parts = append(parts, device(fmt.Sprintf("COM%d", i+1),
				named("_HID", eisaID("PNP0501")), named("_UID", integer(uint64(i+1))),
				named("_CRS", resources(ioPort([]uint16{0x3f8, 0x2f8, 0x3e8, 0x2e8}[i], 8), irqFlags([]int{4, 3, 4, 3}[i])))))
		}
	}
	for i, on := range p.Parallel {
		if on {
			parts = append(parts, device(fmt.Sprintf("LPT%d", i+1),
				named("_HID", eisaID("PNP0400")), named("_UID", integer(uint64(i+1))),
				named("_CRS", resources(ioPort([]uint16{0x378, 0x278, 0x3bc}[i], 4), irqFlags([]int{7, 5, 7}[i])))))
		}
	}
	return device("ISA_", parts...)
}

// floppies is the floppy controller with its drives (ACPI 6.4 §9.8).
func (p *PC) floppies() term {
	var present []byte
	var drives []term
	for i := range 4 {
		there := byte(0)
		if i < len(p.Floppy) && p.Floppy[i] != nil {
			there = 1
			d := p.Floppy[i]
			// What INT 13h function 08h says, then its parameter table.
			var info []term
			for _, v := range []int{i, int(d.Type), d.Tracks - 1, d.Sectors, d.Heads - 1,
				0xaf, 0x02, 0x25, 0x02, d.Sectors, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08} {
				info = append(info, integer(uint64(v)))
			}
			drives = append(drives, device(fmt.Sprintf("FLP%c", 'A'+i), named("_ADR", integer(uint64(i))), named("_FDI", pkg(info...))))
		}
		present = append(present, there, 0, 0, 0)
	}
	present = append(present, 2, 0, 0, 0) // no tape drives
	return device("FDC0", append([]term{
		named("_HID", eisaID("PNP0700")),
		named("_CRS", resources(ioPort(0x3f2, 4), ioPort(0x3f7, 1), irqFlags(6), dmaChannel(2))),
		named("_FDE", buffer(present)),
	}, drives...)...)
}
