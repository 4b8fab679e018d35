# as --32 floppy.s -o floppy.o
# ld -m elf_i386 -Ttext 0x7c00 --oformat binary floppy.o -o floppy.bin
#
# A boot sector that reads all sectors of its disk by INT 13h and prints, for
# each head and cylinder, whether each sector holds its number, to COM1.
	.code16
	.globl _start
_start:
	ljmp $0, $go
go:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7c00, %sp
	cld
	movb %dl, drive
	movw $0x1000, %ax
	movw %ax, %es
	xorw %bx, %bx		# sector number
cyl:
	movw head, %dx		# dl = drive
	movb drive, %dl
	movb head, %dh
	movb cylinder, %ch
	movb $1, %cl
	movb sectors, %al
	movb $2, %ah
	pushw %bx
	xorw %bx, %bx
	int $0x13
	popw %bx
	jc fail
	xorw %di, %di
	movb sectors, %cl
	xorb %ch, %ch
check:
	cmpw $0, %bx
	je 1f			# this sector
	cmpw %bx, %es:(%di)
	jne fail
	cmpw %bx, %es:510(%di)
	jne fail
1:	addw $512, %di
	incw %bx
	loop check
	incb head
	movb heads, %al
	cmpb %al, head
	jb cyl
	movb $0, head
	incb cylinder
	movb cylinders, %al
	cmpb %al, cylinder
	jb cyl
	movw $good, %si
	jmp say
fail:	movb %ah, code
	movw $bad, %si
	call puts
	movb code, %al
	call hex
	movb cylinder, %al
	call hex
	movb head, %al
	call hex
	movw $end, %si
say:	call puts
	movw $0x501, %dx	# isa-debug-exit
	xorw %ax, %ax
	outb %al, %dx
halt:	hlt
	jmp halt
hex:	pushw %ax
	shrb $4, %al
	call nib
	popw %ax
	andb $15, %al
nib:	addb $'0', %al
	cmpb $'9', %al
	jbe putc
	addb $7, %al
putc:	pushw %dx
	pushw %ax
	movw $0x3fd, %dx
2:	inb %dx, %al
	testb $0x20, %al
	jz 2b
	popw %ax
	movw $0x3f8, %dx
	outb %al, %dx
	popw %dx
	ret
puts:	lodsb
	testb %al, %al
	jz 3f
	call putc
	jmp puts
3:	ret
good:	.asciz "ALL SECTORS READ\r\n"
bad:	.asciz "FAILED "
end:	.asciz "\r\n"
drive:	.byte 0
head:	.byte 0
cylinder: .byte 0
code:	.byte 0
	.org 506
cylinders: .byte 0
heads:	.byte 0
sectors: .byte 0
	.org 510
	.word 0xaa55
