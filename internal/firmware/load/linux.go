package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Offsets in the setup header of a Linux/x86 kernel (the kernel's
// Documentation/arch/x86/boot.rst).
const (
	hdrSetupSects   = 0x1f1
	hdrVidMode      = 0x1fa
	hdrBootFlag     = 0x1fe
	hdrMagic        = 0x202
	hdrVersion      = 0x206
	hdrTypeOfLoader = 0x210
	hdrLoadFlags    = 0x211
	hdrRamdiskImage = 0x218
	hdrRamdiskSize  = 0x21c
	hdrHeapEndPtr   = 0x224
	hdrCmdLinePtr   = 0x228
	hdrInitrdMax    = 0x22c
	hdrRelocatable  = 0x234
	hdrCmdlineSize  = 0x238
	hdrPrefAddress  = 0x258
	hdrInitSize     = 0x260

	oldCmdMagic  = 0x20 // of boot protocols before 2.02
	oldCmdOffset = 0x22

	loadedHigh = 1 << 0
	canUseHeap = 1 << 7
)

// biosReserve is what firmware keeps at the top of RAM: SeaBIOS's tables and
// its permanent high memory, 256 KiB, and a little more.
const biosReserve = 0x48000

// maxSetup is what a boot sector can name: 255 sectors and itself.
const maxSetup = 256 * 512

// Linux is a kernel with all that goes with it, and where it goes.
type Linux struct {
	Protocol uint16 // 0x020f is 2.15
	Setup    []byte // boot sector and setup, patched
	Cmdline  []byte // with its final zero
	// Kernel is the protected-mode part. It and the initrd stay where they
	// are, in files: the guest's memory is the only copy.
	Kernel, Initrd *io.SectionReader

	SetupAddr, KernelAddr, InitrdAddr, CmdlineAddr uint32
}

// NewLinux takes a bzImage apart and decides where its parts go in a machine
// whose RAM below 4 GiB ends at ramTop. Without an initrd, initrd is nil.
func NewLinux(image, initrd *io.SectionReader, cmdline string, ramTop uint64) (*Linux, error) {
	le := binary.LittleEndian
	if image.Size() < 0x400 {
		return nil, fmt.Errorf("not a bzImage: %d bytes are too few", image.Size())
	}
	kernel := make([]byte, min(image.Size(), maxSetup))
	if n, err := image.ReadAt(kernel, 0); n < len(kernel) {
		return nil, fmt.Errorf("the kernel cannot be read: %w", err)
	}
	if string(kernel[hdrMagic:hdrMagic+4]) != "HdrS" {
		if string(kernel[:4]) == "\x7fELF" {
			return nil, errors.New("not a bzImage: an ELF file (vmlinux, multiboot) cannot be started yet; use arch/x86/boot/bzImage")
		}
		return nil, errors.New("not a bzImage: no HdrS magic at 0x202")
	}
	l := &Linux{Protocol: le.Uint16(kernel[hdrVersion:])}
	if l.Protocol < 0x200 {
		return nil, fmt.Errorf("boot protocol %d.%02d is too old, 2.00 is needed", l.Protocol>>8, l.Protocol&0xff)
	}
	if le.Uint16(kernel[hdrBootFlag:]) != 0xaa55 {
		return nil, errors.New("not a bzImage: no boot flag at 0x1fe")
	}
	sects := int(kernel[hdrSetupSects])
	if sects == 0 {
		sects = 4
	}
	setup := (sects + 1) * 512
	if image.Size() <= int64(setup) {
		return nil, fmt.Errorf("bzImage is truncated: it has %d bytes and its setup alone %d", image.Size(), setup)
	}
	// syssize (in 16-byte units) tells what should be there (2.04 on).
	if want := int64(setup) + int64(le.Uint32(kernel[0x1f4:]))*16; l.Protocol >= 0x204 && image.Size() < want-16 {
		return nil, fmt.Errorf("bzImage is truncated: it has %d of %d bytes", image.Size(), want)
	}
	l.Setup = append([]byte(nil), kernel[:setup]...)
	l.Kernel = io.NewSectionReader(image, int64(setup), image.Size()-int64(setup))
	if l.Initrd = initrd; initrd == nil {
		l.Initrd = io.NewSectionReader(strings.NewReader(""), 0, 0)
	}
	l.Cmdline = append([]byte(cmdline), 0)
	if strings.IndexByte(cmdline, 0) >= 0 {
		return nil, errors.New("the kernel command line has a zero byte")
	}
	l.place()
	if err := l.checkCmdline(); err != nil {
		return nil, err
	}
	if err := l.placeInitrd(ramTop); err != nil {
		return nil, err
	}
	l.patch(cmdline)
	return l, nil
}

// place decides about setup, kernel and command line.
func (l *Linux) place() {
	high := l.Setup[hdrLoadFlags]&loadedHigh != 0
	l.KernelAddr = 0x100000
	if !high {
		l.KernelAddr = 0x10000
	}
	if l.Protocol >= 0x202 && high {
		l.SetupAddr, l.CmdlineAddr = 0x10000, 0x10000+maxSetup
		return
	}
	// Older setup code wants to be at 90000h, the command line in its segment.
	l.SetupAddr = 0x90000
	l.CmdlineAddr = 0x9a000 - uint32(len(l.Cmdline)+15)&^15
}

func (l *Linux) checkCmdline() error {
	limit := 255
	if l.Protocol >= 0x206 {
		limit = int(binary.LittleEndian.Uint32(l.Setup[hdrCmdlineSize:]))
	}
	if n := len(l.Cmdline) - 1; n > min(limit, 0xf000) {
		return fmt.Errorf("the kernel command line has %d characters, this kernel takes %d", n, min(limit, 0xf000))
	}
	if l.SetupAddr == 0x90000 && (len(l.Setup) > 0x8000 || l.SetupAddr+uint32(len(l.Setup)) > l.CmdlineAddr) {
		return errors.New("the kernel's setup does not fit below its command line")
	}
	if l.KernelAddr == 0x10000 && l.Kernel.Size() > 0x80000 {
		return fmt.Errorf("a zImage of %d bytes does not fit below 90000h", l.Kernel.Size())
	}
	return nil
}

// placeInitrd puts the initrd as high as kernel and RAM allow.
func (l *Linux) placeInitrd(ramTop uint64) error {
	le := binary.LittleEndian
	// What the kernel needs while it unpacks itself.
	end := uint64(l.KernelAddr) + uint64(l.Kernel.Size())
	if l.Protocol >= 0x20a {
		start := uint64(l.KernelAddr)
		if pref := le.Uint64(l.Setup[hdrPrefAddress:]); pref > start && pref < 1<<32 {
			start = pref
		}
		end = max(end, start+uint64(le.Uint32(l.Setup[hdrInitSize:])))
	}
	top := uint64(0)
	if ramTop > biosReserve {
		top = ramTop - biosReserve
	}
	if end > top && l.KernelAddr >= 0x100000 {
		return fmt.Errorf("the kernel needs RAM up to %d MiB, there are %d MiB", (end+1<<20-1)>>20, ramTop>>20)
	}
	if l.Initrd.Size() == 0 {
		return nil
	}
	limit := uint64(0x37ffffff)
	if l.Protocol >= 0x203 {
		limit = uint64(le.Uint32(l.Setup[hdrInitrdMax:]))
	}
	top = min(top, limit+1)
	size := (uint64(l.Initrd.Size()) + 4095) &^ 4095
	if size > top || top-size < end || top-size < 0x100000 {
		return fmt.Errorf("the initrd of %d KiB does not fit between the kernel's end at %d KiB and %d KiB: more RAM (-m) is needed",
			size>>10, end>>10, top>>10)
	}
	l.InitrdAddr = uint32((top - size) &^ 4095)
	return nil
}

// patch fills what the header wants of a boot loader.
func (l *Linux) patch(cmdline string) {
	le := binary.LittleEndian
	s := l.Setup
	s[hdrTypeOfLoader] = 0xff // no number assigned
	if l.Protocol >= 0x201 {
		s[hdrLoadFlags] |= canUseHeap
		le.PutUint16(s[hdrHeapEndPtr:], l.stack()-0x200)
	}
	if l.Protocol >= 0x202 {
		le.PutUint32(s[hdrCmdLinePtr:], l.CmdlineAddr)
	} else {
		le.PutUint16(s[oldCmdMagic:], 0xa33f)
		le.PutUint16(s[oldCmdOffset:], uint16(l.CmdlineAddr-l.SetupAddr))
	}
	if l.Initrd.Size() > 0 {
		le.PutUint32(s[hdrRamdiskImage:], l.InitrdAddr)
		le.PutUint32(s[hdrRamdiskSize:], uint32(l.Initrd.Size()))
	}
	if mode, ok := vgaMode(cmdline); ok {
		le.PutUint16(s[hdrVidMode:], mode)
	}
}

// stack is the setup's stack pointer: the end of its heap.
func (l *Linux) stack() uint16 { return uint16(min(l.CmdlineAddr-l.SetupAddr, 0xfff0)) &^ 15 }

// vgaMode looks for vga= on the command line, which is for the boot loader.
func vgaMode(cmdline string) (uint16, bool) {
	mode, found := uint16(0), false
	for _, w := range strings.Fields(cmdline) {
		v, ok := strings.CutPrefix(w, "vga=")
		if !ok {
			continue
		}
		switch v {
		case "normal":
			mode, found = 0xffff, true
		case "ext":
			mode, found = 0xfffe, true
		case "ask":
			mode, found = 0xfffd, true
		default:
			if n, err := strconv.ParseUint(v, 0, 16); err == nil {
				mode, found = uint16(n), true
			}
		}
	}
	return mode, found
}
