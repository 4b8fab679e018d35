package load

import (
	"encoding/binary"
	"io"
)

// Keys of the fw_cfg items that hold the parts.
const (
	keyKernelData  = 0x11
	keyInitrdData  = 0x12
	keyCmdlineData = 0x15
	keySetupData   = 0x18
)

// dmaSelectRead is the control word of a fw_cfg DMA request that selects a
// key and reads it (bits 3 and 1).
const dmaSelectRead = 0x0a

// Where in the code below the numbers of a machine go.
const (
	romSize   = 512
	romTable  = 0x100 // DMA requests of 16 bytes
	romMax    = 8     // at most so many
	romCount  = 0x2d
	romSeg    = 0x6e
	romSP     = 0x7b
	romFarSeg = 0x80
)

// romCode is the option ROM. It hooks INT 19h, so that the machine boots the
// kernel instead of a disk, whatever BIOS it has. The handler has the fw_cfg
// device copy every part to its place by DMA, which reaches all of memory
// from real mode, and enters the kernel's setup as a boot loader does.
var romCode = []byte{
	// 00: header
	0x55, 0xaa, romSize / 512, // signature, size
	// 03: init: (called by the BIOS, far)
	0x1e,       // 03 push ds
	0x50,       // 04 push ax
	0x31, 0xc0, // 05 xor ax, ax
	0x8e, 0xd8, // 07 mov ds, ax
	0xc7, 0x06, 0x64, 0x00, 0x18, 0x00, // 09 mov word [19h*4], int19
	0x8c, 0x0e, 0x66, 0x00, // 0f mov [19h*4+2], cs
	0x58,       // 13 pop ax
	0x1f,       // 14 pop ds
	0xcb,       // 15 retf
	0x90, 0x90, // 16
	// 18: int19:
	0xfa,       // 18 cli
	0xfc,       // 19 cld
	0x31, 0xc0, // 1a xor ax, ax
	0x8e, 0xd0, // 1c mov ss, ax
	0xbc, 0x00, 0x7c, // 1e mov sp, 7c00h
	0x8e, 0xc0, // 21 mov es, ax
	0x8c, 0xc8, // 23 mov ax, cs
	0x8e, 0xd8, // 25 mov ds, ax
	0xbe, romTable & 0xff, romTable >> 8, // 27 mov si, table
	0x90, 0x90, // 2a
	0xbd, 0x00, 0x00, // 2c mov bp, number of requests
	// 2f: next: a request is copied to 0:7000h, where the device answers
	0xbf, 0x00, 0x70, // 2f mov di, 7000h
	0xb9, 0x08, 0x00, // 32 mov cx, 8
	0xf3, 0xa5, // 35 rep movsw
	0xba, 0x14, 0x05, // 37 mov dx, 514h
	0x66, 0x31, 0xc0, // 3a xor eax, eax
	0x66, 0xef, // 3d out dx, eax       address 63:32
	0xba, 0x18, 0x05, // 3f mov dx, 518h
	0x66, 0xb8, 0x00, 0x00, 0x70, 0x00, // 42 mov eax, 7000h, bytes swapped
	0x66, 0xef, // 48 out dx, eax       address 31:0: go
	// 4a: wait:
	0x26, 0x66, 0xa1, 0x00, 0x70, // 4a mov eax, [es:7000h]
	0x66, 0xa9, 0x00, 0x00, 0x00, 0x01, // 4f test eax, 01000000h   error
	0x75, 0x2b, // 55 jnz failed
	0x66, 0x85, 0xc0, // 57 test eax, eax
	0x75, 0xee, // 5a jnz wait
	0x4d,       // 5c dec bp
	0x75, 0xd0, // 5d jnz next
	0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, // 5f
	// 6d: start the setup
	0xb8, 0x00, 0x00, // 6d mov ax, segment of the setup
	0x8e, 0xd8, // 70 mov ds, ax
	0x8e, 0xc0, // 72 mov es, ax
	0x8e, 0xe0, // 74 mov fs, ax
	0x8e, 0xe8, // 76 mov gs, ax
	0x8e, 0xd0, // 78 mov ss, ax
	0xbc, 0x00, 0x00, // 7a mov sp, end of its heap
	0xea, 0x00, 0x00, 0x00, 0x00, // 7d jmp segment+20h:0
	// 82: failed:
	0xfb,             // 82 sti
	0xbe, 0x97, 0x00, // 83 mov si, text
	// 86: putc:
	0xac,       // 86 lodsb
	0x84, 0xc0, // 87 test al, al
	0x74, 0x09, // 89 jz halt
	0xb4, 0x0e, // 8b mov ah, 0eh
	0xbb, 0x07, 0x00, // 8d mov bx, 7
	0xcd, 0x10, // 90 int 10h
	0xeb, 0xf2, // 92 jmp putc
	// 94: halt:
	0xf4,       // 94 hlt
	0xeb, 0xfd, // 95 jmp halt
	// 97: text:
}

const romText = "rhea: fw_cfg does not give the kernel\r\n\x00"

// OptionROM returns the ROM that starts l.
func (l *Linux) OptionROM() []byte {
	rom := make([]byte, romSize)
	n := copy(rom, romCode)
	copy(rom[n:], romText)
	count := 0
	add := func(key uint32, size int, addr uint32) {
		if size == 0 {
			return
		}
		e := rom[romTable+16*count:]
		binary.BigEndian.PutUint32(e[0:], key<<16|dmaSelectRead)
		binary.BigEndian.PutUint32(e[4:], uint32(size))
		binary.BigEndian.PutUint64(e[8:], uint64(addr))
		count++
	}
	add(keySetupData, len(l.Setup), l.SetupAddr)
	add(keyCmdlineData, len(l.Cmdline), l.CmdlineAddr)
	add(keyKernelData, int(l.Kernel.Size()), l.KernelAddr)
	add(keyInitrdData, int(l.Initrd.Size()), l.InitrdAddr)
	rom[romCount] = byte(count)
	binary.LittleEndian.PutUint16(rom[romSeg:], uint16(l.SetupAddr>>4))
	binary.LittleEndian.PutUint16(rom[romSP:], l.stack())
	binary.LittleEndian.PutUint16(rom[romFarSeg:], uint16(l.SetupAddr>>4)+0x20)
	var sum byte
	for _, b := range rom {
		sum += b
	}
	rom[romSize-1] = -sum
	return rom
}

// FwCfg is a board's configuration device, where the ROM finds the parts.
type FwCfg interface {
	AddItem(key int, data []byte)
	AddSource(key int, src *io.SectionReader)
	AddU32(key int, v uint32)
}

// Store gives the parts to the configuration device, under the keys that
// QEMU uses, addresses and sizes as well.
func (l *Linux) Store(f FwCfg) {
	f.AddU32(0x07, l.KernelAddr)
	f.AddU32(0x08, uint32(l.Kernel.Size()))
	f.AddSource(keyKernelData, l.Kernel)
	f.AddU32(0x0a, l.InitrdAddr)
	f.AddU32(0x0b, uint32(l.Initrd.Size()))
	f.AddSource(keyInitrdData, l.Initrd)
	f.AddU32(0x13, l.CmdlineAddr)
	f.AddU32(0x14, uint32(len(l.Cmdline)))
	f.AddItem(keyCmdlineData, l.Cmdline)
	f.AddU32(0x16, l.SetupAddr)
	f.AddU32(0x17, uint32(len(l.Setup)))
	f.AddItem(keySetupData, l.Setup)
}
