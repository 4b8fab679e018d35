package x86

// sseMap is SSE and SSE2 with FXSAVE and FXRSTOR (SDM vol. 2; see table.go
// for the notation).
const sseMap = `
np 0F 10 : MOVUPS Vps,Wps ; sse
66 0F 10 : MOVUPD Vpd,Wpd ; sse2
F3 0F 10 : MOVSS Vss,Wss ; sse
F2 0F 10 : MOVSD Vsd,Wsd ; sse2
np 0F 11 : MOVUPS Wps,Vps ; sse
66 0F 11 : MOVUPD Wpd,Vpd ; sse2
F3 0F 11 : MOVSS Wss,Vss ; sse
F2 0F 11 : MOVSD Wsd,Vsd ; sse2
np 0F 12 m : MOVLPS Vq,Mq ; sse
np 0F 12 r : MOVHLPS Vq,Uq ; sse
66 0F 12 : MOVLPD Vq,Mq ; sse2
np 0F 13 : MOVLPS Mq,Vq ; sse
66 0F 13 : MOVLPD Mq,Vq ; sse2
np 0F 14 : UNPCKLPS Vps,Wps ; sse
66 0F 14 : UNPCKLPD Vpd,Wpd ; sse2
np 0F 15 : UNPCKHPS Vps,Wps ; sse
66 0F 15 : UNPCKHPD Vpd,Wpd ; sse2
np 0F 16 m : MOVHPS Vq,Mq ; sse
np 0F 16 r : MOVLHPS Vq,Uq ; sse
66 0F 16 : MOVHPD Vq,Mq ; sse2
np 0F 17 : MOVHPS Mq,Vq ; sse
66 0F 17 : MOVHPD Mq,Vq ; sse2
np 0F 28 : MOVAPS Vps,Wps ; sse
66 0F 28 : MOVAPD Vpd,Wpd ; sse2
np 0F 29 : MOVAPS Wps,Vps ; sse
66 0F 29 : MOVAPD Wpd,Vpd ; sse2
np 0F 2A : CVTPI2PS Vq,Qq ; sse
66 0F 2A : CVTPI2PD Vpd,Qq ; sse2
F3 0F 2A : CVTSI2SS Vss,Ey ; sse
F2 0F 2A : CVTSI2SD Vsd,Ey ; sse2
np 0F 2B : MOVNTPS Mps,Vps ; sse
66 0F 2B : MOVNTPD Mpd,Vpd ; sse2
np 0F 2C : CVTTPS2PI Pq,Wq ; sse
66 0F 2C : CVTTPD2PI Pq,Wpd ; sse2
F3 0F 2C : CVTTSS2SI Gy,Wss ; sse
F2 0F 2C : CVTTSD2SI Gy,Wsd ; sse2
np 0F 2D : CVTPS2PI Pq,Wq ; sse
66 0F 2D : CVTPD2PI Pq,Wpd ; sse2
F3 0F 2D : CVTSS2SI Gy,Wss ; sse
F2 0F 2D : CVTSD2SI Gy,Wsd ; sse2
np 0F 2E : UCOMISS Vss,Wss ; sse
66 0F 2E : UCOMISD Vsd,Wsd ; sse2
np 0F 2F : COMISS Vss,Wss ; sse
66 0F 2F : COMISD Vsd,Wsd ; sse2
np 0F 50 : MOVMSKPS Gd,Ups ; sse
66 0F 50 : MOVMSKPD Gd,Upd ; sse2
np 0F 51 : SQRTPS Vps,Wps ; sse
66 0F 51 : SQRTPD Vpd,Wpd ; sse2
F3 0F 51 : SQRTSS Vss,Wss ; sse
F2 0F 51 : SQRTSD Vsd,Wsd ; sse2
np 0F 52 : RSQRTPS Vps,Wps ; sse
F3 0F 52 : RSQRTSS Vss,Wss ; sse
np 0F 53 : RCPPS Vps,Wps ; sse
F3 0F 53 : RCPSS Vss,Wss ; sse
np 0F 54 : ANDPS Vps,Wps ; sse
66 0F 54 : ANDPD Vpd,Wpd ; sse2
np 0F 55 : ANDNPS Vps,Wps ; sse
66 0F 55 : ANDNPD Vpd,Wpd ; sse2
np 0F 56 : ORPS Vps,Wps ; sse
66 0F 56 : ORPD Vpd,Wpd ; sse2
np 0F 57 : XORPS Vps,Wps ; sse
66 0F 57 : XORPD Vpd,Wpd ; sse2
np 0F 58 : ADDPS Vps,Wps ; sse
66 0F 58 : ADDPD Vpd,Wpd ; sse2
F3 0F 58 : ADDSS Vss,Wss ; sse
F2 0F 58 : ADDSD Vsd,Wsd ; sse2
np 0F 59 : MULPS Vps,Wps ; sse
66 0F 59 : MULPD Vpd,Wpd ; sse2
F3 0F 59 : MULSS Vss,Wss ; sse
F2 0F 59 : MULSD Vsd,Wsd ; sse2
np 0F 5A : CVTPS2PD Vpd,Wq ; sse2
66 0F 5A : CVTPD2PS Vps,Wpd ; sse2
F3 0F 5A : CVTSS2SD Vsd,Wss ; sse2
F2 0F 5A : CVTSD2SS Vss,Wsd ; sse2
np 0F 5B : CVTDQ2PS Vps,Wdq ; sse2
66 0F 5B : CVTPS2DQ Vdq,Wps ; sse2
F3 0F 5B : CVTTPS2DQ Vdq,Wps ; sse2
np 0F 5C : SUBPS Vps,Wps ; sse
66 0F 5C : SUBPD Vpd,Wpd ; sse2
F3 0F 5C : SUBSS Vss,Wss ; sse
F2 0F 5C : SUBSD Vsd,Wsd ; sse2
np 0F 5D : MINPS Vps,Wps ; sse
66 0F 5D : MINPD Vpd,Wpd ; sse2
F3 0F 5D : MINSS Vss,Wss ; sse
F2 0F 5D : MINSD Vsd,Wsd ; sse2
np 0F 5E : DIVPS Vps,Wps ; sse
66 0F 5E : DIVPD Vpd,Wpd ; sse2
F3 0F 5E : DIVSS Vss,Wss ; sse
F2 0F 5E : DIVSD Vsd,Wsd ; sse2
np 0F 5F : MAXPS Vps,Wps ; sse
66 0F 5F : MAXPD Vpd,Wpd ; sse2
F3 0F 5F : MAXSS Vss,Wss ; sse
F2 0F 5F : MAXSD Vsd,Wsd ; sse2
66 0F 60 : PUNPCKLBW Vdq,Wdq ; sse2
66 0F 61 : PUNPCKLWD Vdq,Wdq ; sse2
66 0F 62 : PUNPCKLDQ Vdq,Wdq ; sse2
66 0F 63 : PACKSSWB Vdq,Wdq ; sse2
66 0F 64 : PCMPGTB Vdq,Wdq ; sse2
66 0F 65 : PCMPGTW Vdq,Wdq ; sse2
66 0F 66 : PCMPGTD Vdq,Wdq ; sse2
66 0F 67 : PACKUSWB Vdq,Wdq ; sse2
66 0F 68 : PUNPCKHBW Vdq,Wdq ; sse2
66 0F 69 : PUNPCKHWD Vdq,Wdq ; sse2
66 0F 6A : PUNPCKHDQ Vdq,Wdq ; sse2
66 0F 6B : PACKSSDW Vdq,Wdq ; sse2
66 0F 6C : PUNPCKLQDQ Vdq,Wdq ; sse2
66 0F 6D : PUNPCKHQDQ Vdq,Wdq ; sse2
66 0F 6E : MOVD Vdq,Ey ; sse2
66 0F 6F : MOVDQA Vdq,Wdq ; sse2
F3 0F 6F : MOVDQU Vdq,Wdq ; sse2
66 0F 70 : PSHUFD Vdq,Wdq,Ib ; sse2
F3 0F 70 : PSHUFHW Vdq,Wdq,Ib ; sse2
F2 0F 70 : PSHUFLW Vdq,Wdq,Ib ; sse2
66 0F 71 /2 r : PSRLW Udq,Ib ; sse2
66 0F 71 /4 r : PSRAW Udq,Ib ; sse2
66 0F 71 /6 r : PSLLW Udq,Ib ; sse2
66 0F 72 /2 r : PSRLD Udq,Ib ; sse2
66 0F 72 /4 r : PSRAD Udq,Ib ; sse2
66 0F 72 /6 r : PSLLD Udq,Ib ; sse2
66 0F 73 /2 r : PSRLQ Udq,Ib ; sse2
66 0F 73 /3 r : PSRLDQ Udq,Ib ; sse2
66 0F 73 /6 r : PSLLQ Udq,Ib ; sse2
66 0F 73 /7 r : PSLLDQ Udq,Ib ; sse2
66 0F 74 : PCMPEQB Vdq,Wdq ; sse2
66 0F 75 : PCMPEQW Vdq,Wdq ; sse2
66 0F 76 : PCMPEQD Vdq,Wdq ; sse2
66 0F 7E : MOVD Ey,Vd ; sse2
F3 0F 7E : MOVQ Vq,Wq ; sse2
66 0F 7F : MOVDQA Wdq,Vdq ; sse2
F3 0F 7F : MOVDQU Wdq,Vdq ; sse2
np 0F AE /0 m : FXSAVE Ms ; fxsr
np 0F AE /1 m : FXRSTOR Ms ; fxsr
np 0F AE /2 m : LDMXCSR Md ; sse
np 0F AE /3 m : STMXCSR Md ; sse
np 0F C2 : CMPPS Vps,Wps,Ib ; sse
66 0F C2 : CMPPD Vpd,Wpd,Ib ; sse2
F3 0F C2 : CMPSS Vss,Wss,Ib ; sse
F2 0F C2 : CMPSD Vsd,Wsd,Ib ; sse2
66 0F C4 : PINSRW Vdq,Ew,Ib ; sse2
66 0F C5 : PEXTRW Gd,Udq,Ib ; sse2
np 0F C6 : SHUFPS Vps,Wps,Ib ; sse
66 0F C6 : SHUFPD Vpd,Wpd,Ib ; sse2
66 0F D1 : PSRLW Vdq,Wdq ; sse2
66 0F D2 : PSRLD Vdq,Wdq ; sse2
66 0F D3 : PSRLQ Vdq,Wdq ; sse2
66 0F D4 : PADDQ Vdq,Wdq ; sse2
66 0F D5 : PMULLW Vdq,Wdq ; sse2
66 0F D6 : MOVQ Wq,Vq ; sse2
F3 0F D6 : MOVQ2DQ Vdq,Nq ; sse2
F2 0F D6 : MOVDQ2Q Pq,Uq ; sse2
66 0F D7 : PMOVMSKB Gd,Udq ; sse2
66 0F D8 : PSUBUSB Vdq,Wdq ; sse2
66 0F D9 : PSUBUSW Vdq,Wdq ; sse2
66 0F DA : PMINUB Vdq,Wdq ; sse2
66 0F DB : PAND Vdq,Wdq ; sse2
66 0F DC : PADDUSB Vdq,Wdq ; sse2
66 0F DD : PADDUSW Vdq,Wdq ; sse2
66 0F DE : PMAXUB Vdq,Wdq ; sse2
66 0F DF : PANDN Vdq,Wdq ; sse2
66 0F E0 : PAVGB Vdq,Wdq ; sse2
66 0F E1 : PSRAW Vdq,Wdq ; sse2
66 0F E2 : PSRAD Vdq,Wdq ; sse2
66 0F E3 : PAVGW Vdq,Wdq ; sse2
66 0F E4 : PMULHUW Vdq,Wdq ; sse2
66 0F E5 : PMULHW Vdq,Wdq ; sse2
66 0F E6 : CVTTPD2DQ Vdq,Wpd ; sse2
F3 0F E6 : CVTDQ2PD Vpd,Wq ; sse2
F2 0F E6 : CVTPD2DQ Vdq,Wpd ; sse2
66 0F E7 : MOVNTDQ Mdq,Vdq ; sse2
66 0F E8 : PSUBSB Vdq,Wdq ; sse2
66 0F E9 : PSUBSW Vdq,Wdq ; sse2
66 0F EA : PMINSW Vdq,Wdq ; sse2
66 0F EB : POR Vdq,Wdq ; sse2
66 0F EC : PADDSB Vdq,Wdq ; sse2
66 0F ED : PADDSW Vdq,Wdq ; sse2
66 0F EE : PMAXSW Vdq,Wdq ; sse2
66 0F EF : PXOR Vdq,Wdq ; sse2
66 0F F1 : PSLLW Vdq,Wdq ; sse2
66 0F F2 : PSLLD Vdq,Wdq ; sse2
66 0F F3 : PSLLQ Vdq,Wdq ; sse2
66 0F F4 : PMULUDQ Vdq,Wdq ; sse2
66 0F F5 : PMADDWD Vdq,Wdq ; sse2
66 0F F6 : PSADBW Vdq,Wdq ; sse2
66 0F F7 : MASKMOVDQU Vdq,Udq ; sse2
66 0F F8 : PSUBB Vdq,Wdq ; sse2
66 0F F9 : PSUBW Vdq,Wdq ; sse2
66 0F FA : PSUBD Vdq,Wdq ; sse2
66 0F FB : PSUBQ Vdq,Wdq ; sse2
66 0F FC : PADDB Vdq,Wdq ; sse2
66 0F FD : PADDW Vdq,Wdq ; sse2
66 0F FE : PADDD Vdq,Wdq ; sse2
`
