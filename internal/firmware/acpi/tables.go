package acpi

import "encoding/binary"

// File is one that fw_cfg gives to the firmware.
type File struct {
	Name string
	Data []byte
}

const (
	tablesFile = "etc/acpi/tables"
	rsdpFile   = "etc/acpi/rsdp"
	loaderFile = "etc/table-loader"
)

// Fixed features of the FADT (ACPI 1.0b §5.2.5).
const (
	fadtWBINVD      = 1 << 0
	fadtProcC1      = 1 << 2
	fadtNoSlpButton = 1 << 5
	fadtRTCS4       = 1 << 7
)

// builder lays tables out one after the other and notes what has to be
// linked once their address is known.
type builder struct {
	b      []byte
	script loader
}

// table appends a table with its header (§5.2.3) and returns its offset. Its
// checksum is the firmware's to make, for pointers change it.
func (t *builder) table(sig string, revision byte, body []byte) int {
	at := len(t.b)
	h := []byte(sig)
	h = binary.LittleEndian.AppendUint32(h, uint32(36+len(body)))
	h = append(h, revision, 0)
	h = append(h, "RHEA  "+"RHEA"+sig...)
	h = binary.LittleEndian.AppendUint32(h, 1)
	h = append(h, "RHEA"...)
	h = binary.LittleEndian.AppendUint32(h, 1)
	t.b = append(append(t.b, h...), body...)
	return at
}

func (t *builder) align(n int) {
	for len(t.b)%n != 0 {
		t.b = append(t.b, 0)
	}
}

// link makes the dword at off point to the table at target.
func (t *builder) link(off, target int) {
	binary.LittleEndian.PutUint32(t.b[off:], uint32(target))
	t.script.pointer(tablesFile, off, tablesFile)
}

func (t *builder) seal(at int) {
	n := int(binary.LittleEndian.Uint32(t.b[at+4:]))
	t.script.checksum(tablesFile, at+9, at, n)
}

// Files returns the tables, the root pointer and the script that links them.
func (p *PC) Files() []File {
	t := &builder{}
	t.script.allocate(rsdpFile, 16, zoneFSeg)
	t.script.allocate(tablesFile, 64, zoneHigh)

	facs := len(t.b)
	t.b = append(t.b, p.facs()...)
	dsdt := t.table("DSDT", 1, p.dsdt())
	t.seal(dsdt)
	t.align(8)
	fadt := t.table("FACP", 1, p.fadt())
	t.link(fadt+36, facs)
	t.link(fadt+40, dsdt)
	t.seal(fadt)
	roots := []int{fadt}
	if p.CPUs > 0 {
		t.align(8)
		madt := t.table("APIC", 1, p.madt())
		t.seal(madt)
		roots = append(roots, madt)
	}
	t.align(8)
	rsdt := t.table("RSDT", 1, make([]byte, 4*len(roots)))
	for i, r := range roots {
		t.link(rsdt+36+4*i, r)
	}
	t.seal(rsdt)

	rsdp := make([]byte, 20)
	copy(rsdp, "RSD PTR ")
	copy(rsdp[9:], "RHEA  ")
	binary.LittleEndian.PutUint32(rsdp[16:], uint32(rsdt))
	t.script.pointer(rsdpFile, 16, tablesFile)
	t.script.checksum(rsdpFile, 8, 0, 20)
	return []File{{tablesFile, t.b}, {rsdpFile, rsdp}, {loaderFile, t.script}}
}

func (p *PC) facs() []byte {
	b := make([]byte, 64)
	copy(b, "FACS")
	binary.LittleEndian.PutUint32(b[4:], 64)
	return b
}

// fadt is the body, 36 bytes less than the offsets in §5.2.5.
func (p *PC) fadt() []byte {
	le := binary.LittleEndian
	b := make([]byte, 116)
	pm := uint32(p.PMBase)
	if pm == 0 {
		pm = 0x600
	}
	b[44] = 1 // multiple APICs
	le.PutUint16(b[46:], sciIRQ)
	le.PutUint32(b[48:], 0xb2) // SMI_CMD
	b[52], b[53] = 0xf1, 0xf0  // ACPI_ENABLE, ACPI_DISABLE
	le.PutUint32(b[56:], pm)
	le.PutUint32(b[64:], pm+4)
	le.PutUint32(b[76:], pm+8)
	le.PutUint32(b[80:], pm+0x0c)
	b[88], b[89], b[91], b[92] = 4, 2, 4, 4
	le.PutUint16(b[96:], 0xfff) // no C2, no C3
	le.PutUint16(b[98:], 0xfff)
	b[108] = 0x32 // century
	le.PutUint32(b[112:], fadtWBINVD|fadtProcC1|fadtNoSlpButton|fadtRTCS4)
	return b[36:]
}

// madt lists the interrupt controllers (§5.2.8).
func (p *PC) madt() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, lapicAddr)
	b = le.AppendUint32(b, 1) // there are 8259s
	for i := range p.CPUs {
		b = append(b, 0, 8, byte(i), byte(i), 1, 0, 0, 0)
	}
	b = append(b, 1, 12, 0, 0)
	b = le.AppendUint32(b, ioapicAddr)
	b = le.AppendUint32(b, 0)
	override := func(irq byte, gsi uint32, flags uint16) {
		b = append(b, 2, 10, 0, irq)
		b = le.AppendUint32(b, gsi)
		b = le.AppendUint16(b, flags)
	}
	override(0, 2, 0)
	const levelHigh = 3<<2 | 1
	for _, n := range []byte{5, sciIRQ, 10, 11} {
		override(n, uint32(n), levelHigh)
	}
	return append(b, 4, 6, 0xff, 0, 0, 1) // NMI is LINT1 of all
}

// loader is a script for the firmware (QEMU's interface, which SeaBIOS and
// others carry out): commands of 128 bytes.
type loader []byte

const (
	cmdAllocate = 1
	cmdPointer  = 2
	cmdChecksum = 3

	zoneHigh = 1
	zoneFSeg = 2
)

func (l *loader) command(c uint32, body []byte) {
	b := make([]byte, 128)
	binary.LittleEndian.PutUint32(b, c)
	copy(b[4:], body)
	*l = append(*l, b...)
}

func fileName(s string) []byte {
	b := make([]byte, 56)
	copy(b, s)
	return b
}

func (l *loader) allocate(file string, align uint32, zone byte) {
	l.command(cmdAllocate, append(binary.LittleEndian.AppendUint32(fileName(file), align), zone))
}

// pointer adds the address of src to the dword at off of file.
func (l *loader) pointer(file string, off int, src string) {
	b := append(fileName(file), fileName(src)...)
	l.command(cmdPointer, append(binary.LittleEndian.AppendUint32(b, uint32(off)), 4))
}

func (l *loader) checksum(file string, at, start, n int) {
	b := fileName(file)
	for _, v := range []int{at, start, n} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	l.command(cmdChecksum, b)
}
