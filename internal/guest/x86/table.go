package x86

// The opcode maps, in the notation of the SDM, volume 2, appendix A. A line is
//
//	[prefix] opcode bytes [/reg] [m|r] [mode] : MNEMONIC operands ; feature
//
// prefix is 66, F3 or F2 where it selects the instruction (np: none of them),
// /reg the reg field of ModRM, m and r a memory and a register form, and a
// byte C0..FF after the opcode a whole ModRM byte. The mode is i64 for what
// 64-bit mode does not have, o64 for what only that has, d64 if the operand
// size is 64 bits there by default, f64 if it always is. A line that begins with
// v is of an instruction with a VEX prefix; l0 and l1, w0 and w1 say what VEX.L
// and VEX.W must be. Operands:
//
//	E G     register or memory, and register, by ModRM
//	I J O   immediate, relative offset, absolute offset
//	M R     memory only, register only
//	S C D   segment, control and debug register by ModRM's reg
//	A       far pointer in the code
//	X Y     DS:SI, ES:DI
//	Z       register in the opcode's low three bits
//	P Q N   MMX register by reg, MMX register or memory, MMX register by rm
//	H B     XMM and general register by VEX.vvvv
//	L       XMM register by the top of an immediate
//	V W U   XMM register by reg, XMM register or memory, XMM register by rm
//	ST STi  x87 stack
//
// with sizes b w d q dq (1 2 4 8 16), v (operand size), z (as v, but 4 where
// that is 8), p (far pointer of operand size), a (pair of v), t (10 bytes), y
// (4, or 8 with REX.W), r (4, in 64-bit mode 8), x (16 or 32 by VEX.L), s (no size); ps pd (16), ss (4) and sd (8) say what is in an XMM register. Other
// words are registers by name, or constants.
const integerMap = `
00 : ADD Eb,Gb
01 : ADD Ev,Gv
02 : ADD Gb,Eb
03 : ADD Gv,Ev
04 : ADD AL,Ib
05 : ADD eAX,Iz
06 i64 : PUSH ES
07 i64 : POP ES
08 : OR Eb,Gb
09 : OR Ev,Gv
0A : OR Gb,Eb
0B : OR Gv,Ev
0C : OR AL,Ib
0D : OR eAX,Iz
0E i64 : PUSH CS
10 : ADC Eb,Gb
11 : ADC Ev,Gv
12 : ADC Gb,Eb
13 : ADC Gv,Ev
14 : ADC AL,Ib
15 : ADC eAX,Iz
16 i64 : PUSH SS
17 i64 : POP SS
18 : SBB Eb,Gb
19 : SBB Ev,Gv
1A : SBB Gb,Eb
1B : SBB Gv,Ev
1C : SBB AL,Ib
1D : SBB eAX,Iz
1E i64 : PUSH DS
1F i64 : POP DS
20 : AND Eb,Gb
21 : AND Ev,Gv
22 : AND Gb,Eb
23 : AND Gv,Ev
24 : AND AL,Ib
25 : AND eAX,Iz
27 i64 : DAA
28 : SUB Eb,Gb
29 : SUB Ev,Gv
2A : SUB Gb,Eb
2B : SUB Gv,Ev
2C : SUB AL,Ib
2D : SUB eAX,Iz
2F i64 : DAS
30 : XOR Eb,Gb
31 : XOR Ev,Gv
32 : XOR Gb,Eb
33 : XOR Gv,Ev
34 : XOR AL,Ib
35 : XOR eAX,Iz
37 i64 : AAA
38 : CMP Eb,Gb
39 : CMP Ev,Gv
3A : CMP Gb,Eb
3B : CMP Gv,Ev
3C : CMP AL,Ib
3D : CMP eAX,Iz
3F i64 : AAS
40-47 i64 : INC Zv
48-4F i64 : DEC Zv
50-57 d64 : PUSH Zv
58-5F d64 : POP Zv
60 i64 : PUSHA
61 i64 : POPA
62 m i64 : BOUND Gv,Ma
63 i64 : ARPL Ew,Gw
63 o64 : MOVSXD Gv,Ed
68 d64 : PUSH Iz
69 : IMUL Gv,Ev,Iz
6A d64 : PUSH sIb
6B : IMUL Gv,Ev,sIb
6C : INS Yb,DX
6D : INS Yz,DX
6E : OUTS DX,Xb
6F : OUTS DX,Xz
70-7F f64 : Jcc Jb
80 /0 : ADD Eb,Ib
80 /1 : OR Eb,Ib
80 /2 : ADC Eb,Ib
80 /3 : SBB Eb,Ib
80 /4 : AND Eb,Ib
80 /5 : SUB Eb,Ib
80 /6 : XOR Eb,Ib
80 /7 : CMP Eb,Ib
81 /0 : ADD Ev,Iz
81 /1 : OR Ev,Iz
81 /2 : ADC Ev,Iz
81 /3 : SBB Ev,Iz
81 /4 : AND Ev,Iz
81 /5 : SUB Ev,Iz
81 /6 : XOR Ev,Iz
81 /7 : CMP Ev,Iz
82 /0 i64 : ADD Eb,Ib
82 /1 i64 : OR Eb,Ib
82 /2 i64 : ADC Eb,Ib
82 /3 i64 : SBB Eb,Ib
82 /4 i64 : AND Eb,Ib
82 /5 i64 : SUB Eb,Ib
82 /6 i64 : XOR Eb,Ib
82 /7 i64 : CMP Eb,Ib
83 /0 : ADD Ev,sIb
83 /1 : OR Ev,sIb
83 /2 : ADC Ev,sIb
83 /3 : SBB Ev,sIb
83 /4 : AND Ev,sIb
83 /5 : SUB Ev,sIb
83 /6 : XOR Ev,sIb
83 /7 : CMP Ev,sIb
84 : TEST Eb,Gb
85 : TEST Ev,Gv
86 : XCHG Eb,Gb
87 : XCHG Ev,Gv
88 : MOV Eb,Gb
89 : MOV Ev,Gv
8A : MOV Gb,Eb
8B : MOV Gv,Ev
8C : MOV Ev,Sw
8D m : LEA Gv,Ms
8E : MOV Sw,Ew
8F /0 d64 : POP Ev
90 : NOP
91-97 : XCHG Zv,eAX
98 : CBW
99 : CWD
9A i64 : CALLF Ap
9B : WAIT
9C d64 : PUSHF
9D d64 : POPF
9E : SAHF
9F : LAHF
A0 : MOV AL,Ob
A1 : MOV eAX,Ov
A2 : MOV Ob,AL
A3 : MOV Ov,eAX
A4 : MOVS Yb,Xb
A5 : MOVS Yv,Xv
A6 : CMPS Xb,Yb
A7 : CMPS Xv,Yv
A8 : TEST AL,Ib
A9 : TEST eAX,Iz
AA : STOS Yb,AL
AB : STOS Yv,eAX
AC : LODS AL,Xb
AD : LODS eAX,Xv
AE : SCAS AL,Yb
AF : SCAS eAX,Yv
B0-B7 : MOV Zb,Ib
B8-BF : MOV Zv,Iv
C0 /0 : ROL Eb,Ib
C0 /1 : ROR Eb,Ib
C0 /2 : RCL Eb,Ib
C0 /3 : RCR Eb,Ib
C0 /4 : SHL Eb,Ib
C0 /5 : SHR Eb,Ib
C0 /6 : SHL Eb,Ib
C0 /7 : SAR Eb,Ib
C1 /0 : ROL Ev,Ib
C1 /1 : ROR Ev,Ib
C1 /2 : RCL Ev,Ib
C1 /3 : RCR Ev,Ib
C1 /4 : SHL Ev,Ib
C1 /5 : SHR Ev,Ib
C1 /6 : SHL Ev,Ib
C1 /7 : SAR Ev,Ib
C2 f64 : RET Iw
C3 f64 : RET
C4 m i64 : LES Gv,Mp
C5 m i64 : LDS Gv,Mp
C6 /0 : MOV Eb,Ib
C7 /0 : MOV Ev,Iz
C8 d64 : ENTER Iw,Ib
C9 d64 : LEAVE
CA : RETF Iw
CB : RETF
CC : INT3
CD : INT Ib
CE i64 : INTO
CF : IRET
D0 /0 : ROL Eb,1
D0 /1 : ROR Eb,1
D0 /2 : RCL Eb,1
D0 /3 : RCR Eb,1
D0 /4 : SHL Eb,1
D0 /5 : SHR Eb,1
D0 /6 : SHL Eb,1
D0 /7 : SAR Eb,1
D1 /0 : ROL Ev,1
D1 /1 : ROR Ev,1
D1 /2 : RCL Ev,1
D1 /3 : RCR Ev,1
D1 /4 : SHL Ev,1
D1 /5 : SHR Ev,1
D1 /6 : SHL Ev,1
D1 /7 : SAR Ev,1
D2 /0 : ROL Eb,CL
D2 /1 : ROR Eb,CL
D2 /2 : RCL Eb,CL
D2 /3 : RCR Eb,CL
D2 /4 : SHL Eb,CL
D2 /5 : SHR Eb,CL
D2 /6 : SHL Eb,CL
D2 /7 : SAR Eb,CL
D3 /0 : ROL Ev,CL
D3 /1 : ROR Ev,CL
D3 /2 : RCL Ev,CL
D3 /3 : RCR Ev,CL
D3 /4 : SHL Ev,CL
D3 /5 : SHR Ev,CL
D3 /6 : SHL Ev,CL
D3 /7 : SAR Ev,CL
D4 i64 : AAM Ib
D5 i64 : AAD Ib
D6 i64 : SALC
D7 : XLAT
E0 f64 : LOOPNE Jb
E1 f64 : LOOPE Jb
E2 f64 : LOOP Jb
E3 f64 : JCXZ Jb
E4 : IN AL,Ib
E5 : IN eAX,Ib
E6 : OUT Ib,AL
E7 : OUT Ib,eAX
E8 f64 : CALL Jz
E9 f64 : JMP Jz
EA i64 : JMPF Ap
EB f64 : JMP Jb
EC : IN AL,DX
ED : IN eAX,DX
EE : OUT DX,AL
EF : OUT DX,eAX
F1 : INT1
F4 : HLT
F5 : CMC
F6 /0 : TEST Eb,Ib
F6 /1 : TEST Eb,Ib
F6 /2 : NOT Eb
F6 /3 : NEG Eb
F6 /4 : MUL Eb
F6 /5 : IMUL1 Eb
F6 /6 : DIV Eb
F6 /7 : IDIV Eb
F7 /0 : TEST Ev,Iz
F7 /1 : TEST Ev,Iz
F7 /2 : NOT Ev
F7 /3 : NEG Ev
F7 /4 : MUL Ev
F7 /5 : IMUL1 Ev
F7 /6 : DIV Ev
F7 /7 : IDIV Ev
F8 : CLC
F9 : STC
FA : CLI
FB : STI
FC : CLD
FD : STD
FE /0 : INC Eb
FE /1 : DEC Eb
FF /0 : INC Ev
FF /1 : DEC Ev
FF /2 f64 : CALL Ev
FF /3 m : CALLF Mp
FF /4 f64 : JMP Ev
FF /5 m : JMPF Mp
FF /6 d64 : PUSH Ev

0F 00 /0 : SLDT Ev
0F 00 /1 : STR Ev
0F 00 /2 : LLDT Ew
0F 00 /3 : LTR Ew
0F 00 /4 : VERR Ew
0F 00 /5 : VERW Ew
0F 01 /0 m : SGDT Ms
0F 01 /1 m : SIDT Ms
0F 01 /2 m : LGDT Ms
0F 01 /3 m : LIDT Ms
0F 01 /4 : SMSW Ev
0F 01 /6 : LMSW Ew
0F 01 /7 m : INVLPG Ms ; 486
0F 01 CA : CLAC ; smap
0F 01 CB : STAC ; smap
0F 01 F8 o64 : SWAPGS
0F 01 F9 : RDTSCP ; rdtscp
0F 02 : LAR Gv,Ew
0F 03 : LSL Gv,Ew
0F 05 o64 : SYSCALL ; syscall
0F 06 : CLTS
0F 07 o64 : SYSRET ; syscall
0F 08 : INVD ; 486
0F 09 : WBINVD ; 486
0F 0B : UD2
0F 0D : NOP Ev ; 3dnowprefetch
0F 18 m : NOP Ms ; sse
0F 19-1F : NOP Ev ; p6
0F 20 : MOV Rr,Cd
0F 21 : MOV Rr,Dd
0F 22 : MOV Cd,Rr
0F 23 : MOV Dd,Rr
0F 30 : WRMSR ; msr
0F 31 : RDTSC ; tsc
0F 32 : RDMSR ; msr
0F 33 : RDPMC ; p6
0F 34 : SYSENTER ; sep
0F 35 : SYSEXIT ; sep
0F 40-4F : CMOVcc Gv,Ev ; cmov
0F 80-8F f64 : Jcc Jz
0F 90-9F : SETcc Eb
0F A0 d64 : PUSH FS
0F A1 d64 : POP FS
0F A2 : CPUID ; cpuid
0F A3 : BT Ev,Gv
0F A4 : SHLD Ev,Gv,Ib
0F A5 : SHLD Ev,Gv,CL
0F A8 d64 : PUSH GS
0F A9 d64 : POP GS
0F AA : RSM ; smm
0F AB : BTS Ev,Gv
0F AC : SHRD Ev,Gv,Ib
0F AD : SHRD Ev,Gv,CL
0F AF : IMUL Gv,Ev
0F B0 : CMPXCHG Eb,Gb ; 486
0F B1 : CMPXCHG Ev,Gv ; 486
0F B2 m : LSS Gv,Mp
0F B3 : BTR Ev,Gv
0F B4 m : LFS Gv,Mp
0F B5 m : LGS Gv,Mp
0F B6 : MOVZX Gv,Eb
0F B7 : MOVZX Gv,Ew
0F B9 : UD1 Gv,Ev
0F BA /4 : BT Ev,Ib
0F BA /5 : BTS Ev,Ib
0F BA /6 : BTR Ev,Ib
0F BA /7 : BTC Ev,Ib
0F BB : BTC Ev,Gv
0F BC : BSF Gv,Ev
0F BD : BSR Gv,Ev
0F BE : MOVSX Gv,Eb
0F BF : MOVSX Gv,Ew
0F C0 : XADD Eb,Gb ; 486
0F C1 : XADD Ev,Gv ; 486
0F C3 m : MOVNTI My,Gy ; sse2
0F C7 /1 m : CMPXCHG8B Mq ; cx8
0F C7 /6 r : RDRAND Ev ; rdrand
0F C7 /7 r : RDSEED Ev ; rdseed
0F C8-CF : BSWAP Zy ; 486
F3 0F B8 : POPCNT Gv,Ev ; popcnt
F3 0F BC : TZCNT Gv,Ev
F3 0F BD : LZCNT Gv,Ev
np 0F 38 F0 : MOVBE Gv,Mv ; movbe
66 0F 38 F0 : MOVBE Gv,Mv ; movbe
np 0F 38 F1 : MOVBE Mv,Gv ; movbe
66 0F 38 F1 : MOVBE Mv,Gv ; movbe
F2 0F 38 F0 : CRC32 Gy,Eb ; sse4.2
F2 0F 38 F1 : CRC32 Gy,Ev ; sse4.2
0F AE /5 r : LFENCE ; sse2
0F AE /6 r : MFENCE ; sse2
0F AE /7 r : SFENCE ; sse
0F AE /7 m : CLFLUSH Ms ; clflush
F3 0F AE /0 r o64 : RDFSBASE Ey ; fsgsbase
F3 0F AE /1 r o64 : RDGSBASE Ey ; fsgsbase
F3 0F AE /2 r o64 : WRFSBASE Ey ; fsgsbase
F3 0F AE /3 r o64 : WRGSBASE Ey ; fsgsbase
66 0F 38 82 : INVPCID Gr,Mdq ; invpcid
0F FF : UD0 Gv,Ev
F3 90 : PAUSE
`
