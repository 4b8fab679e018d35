package pci

import (
	"fmt"
	"io"
)

// Info writes what the monitor's "info pci" shows.
func (b *Bus) Info(w io.Writer) {
	for _, f := range b.Functions() {
		fmt.Fprintf(w, "  Bus %2d, device %3d, function %d:\n", 0, f.devfn>>3, f.devfn&7)
		fmt.Fprintf(w, "    %s: PCI device %04x:%04x\n", f.className(), f.Reg16(VendorID), f.Reg16(DeviceID))
		if v := f.Reg16(SubVendorID); v != 0 {
			fmt.Fprintf(w, "      PCI subsystem %04x:%04x\n", v, f.Reg16(SubsystemID))
		}
		if pin := f.conf[InterruptPin]; pin != 0 {
			fmt.Fprintf(w, "      IRQ %d, pin %c\n", f.conf[InterruptLine], 'A'+pin-1)
		}
		for i := range f.bars {
			r := &f.bars[i]
			if r.region == nil {
				continue
			}
			at, end := uint64(0xffffffffffffffff), uint64(r.size-2)
			if r.mapped {
				at, end = r.addr, r.addr+r.size-1
			}
			switch {
			case r.io:
				if !r.mapped {
					at, end = 0xffff, (r.size-2)&0xffff
				}
				fmt.Fprintf(w, "      BAR%d: I/O at 0x%04x [0x%04x].\n", i, at, end)
			case r.mapped:
				fmt.Fprintf(w, "      BAR%d: 32 bit%s memory at 0x%08x [0x%08x].\n", i, f.prefetch(i), at, end)
			default:
				fmt.Fprintf(w, "      BAR%d: 32 bit%s memory at 0x%016x [0x%08x].\n", i, f.prefetch(i), at, end)
			}
		}
		fmt.Fprintf(w, "      id \"\"\n")
	}
}

func (f *Function) prefetch(i int) string {
	if i != romBAR && f.conf[BaseAddress+4*i]&8 != 0 {
		return " prefetchable"
	}
	return ""
}

// className puts the class code (PCI 2.1 appendix D) in words.
func (f *Function) className() string {
	class := int(f.conf[ClassCode+2])<<8 | int(f.conf[ClassCode+1])
	for _, c := range classNames {
		if c.class == class {
			return c.name
		}
	}
	return fmt.Sprintf("Class %04d", class)
}

var classNames = []struct {
	class int
	name  string
}{
	{0x0001, "VGA controller"},
	{0x0100, "SCSI controller"},
	{0x0101, "IDE controller"},
	{0x0102, "Floppy controller"},
	{0x0106, "SATA controller"},
	{0x0200, "Ethernet controller"},
	{0x0300, "VGA controller"},
	{0x0380, "Display controller"},
	{0x0401, "Audio controller"},
	{0x0403, "Audio controller"},
	{0x0500, "RAM controller"},
	{0x0600, "Host bridge"},
	{0x0601, "ISA bridge"},
	{0x0604, "PCI bridge"},
	{0x0680, "Bridge"},
	{0x0780, "Communication controller"},
	{0x0c03, "USB controller"},
	{0x0c05, "SMBus"},
	{0xff00, "Unclassified device"},
}
