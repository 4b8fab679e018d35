package x86

// avxMap is AVX, AVX2, FMA and F16C (SDM vol. 2; see table.go for the notation).
const avxMap = `
v np 0F 58 : VADDPS Vx,Hx,Wx ; avx
v 66 0F 58 : VADDPD Vx,Hx,Wx ; avx
v np 0F 5C : VSUBPS Vx,Hx,Wx ; avx
v 66 0F 5C : VSUBPD Vx,Hx,Wx ; avx
v np 0F 59 : VMULPS Vx,Hx,Wx ; avx
v 66 0F 59 : VMULPD Vx,Hx,Wx ; avx
v np 0F 5E : VDIVPS Vx,Hx,Wx ; avx
v 66 0F 5E : VDIVPD Vx,Hx,Wx ; avx
v np 0F 5D : VMINPS Vx,Hx,Wx ; avx
v 66 0F 5D : VMINPD Vx,Hx,Wx ; avx
v np 0F 5F : VMAXPS Vx,Hx,Wx ; avx
v 66 0F 5F : VMAXPD Vx,Hx,Wx ; avx
v np 0F 54 : VANDPS Vx,Hx,Wx ; avx
v 66 0F 54 : VANDPD Vx,Hx,Wx ; avx
v np 0F 55 : VANDNPS Vx,Hx,Wx ; avx
v 66 0F 55 : VANDNPD Vx,Hx,Wx ; avx
v np 0F 56 : VORPS Vx,Hx,Wx ; avx
v 66 0F 56 : VORPD Vx,Hx,Wx ; avx
v np 0F 57 : VXORPS Vx,Hx,Wx ; avx
v 66 0F 57 : VXORPD Vx,Hx,Wx ; avx
v np 0F 14 : VUNPCKLPS Vx,Hx,Wx ; avx
v 66 0F 14 : VUNPCKLPD Vx,Hx,Wx ; avx
v np 0F 15 : VUNPCKHPS Vx,Hx,Wx ; avx
v 66 0F 15 : VUNPCKHPD Vx,Hx,Wx ; avx
v np 0F C6 : VSHUFPS Vx,Hx,Wx,Ib ; avx
v 66 0F C6 : VSHUFPD Vx,Hx,Wx,Ib ; avx
v np 0F C2 : VCMPPS Vx,Hx,Wx,Ib ; avx
v 66 0F C2 : VCMPPD Vx,Hx,Wx,Ib ; avx
v F2 0F 7C : VHADDPS Vx,Hx,Wx ; avx
v 66 0F 7C : VHADDPD Vx,Hx,Wx ; avx
v F2 0F 7D : VHSUBPS Vx,Hx,Wx ; avx
v 66 0F 7D : VHSUBPD Vx,Hx,Wx ; avx
v F2 0F D0 : VADDSUBPS Vx,Hx,Wx ; avx
v 66 0F D0 : VADDSUBPD Vx,Hx,Wx ; avx
v 66 0F 3A 0C : VBLENDPS Vx,Hx,Wx,Ib ; avx
v 66 0F 3A 0D : VBLENDPD Vx,Hx,Wx,Ib ; avx
v 66 0F 3A 40 : VDPPS Vx,Hx,Wx,Ib ; avx
v np 0F 51 : VSQRTPS Vx,Wx ; avx
v 66 0F 51 : VSQRTPD Vx,Wx ; avx
v np 0F 52 : VRSQRTPS Vx,Wx ; avx
v np 0F 53 : VRCPPS Vx,Wx ; avx
v 66 0F 3A 08 : VROUNDPS Vx,Wx,Ib ; avx
v 66 0F 3A 09 : VROUNDPD Vx,Wx,Ib ; avx
v np 0F 5B : VCVTDQ2PS Vx,Wx ; avx
v 66 0F 5B : VCVTPS2DQ Vx,Wx ; avx
v F3 0F 5B : VCVTTPS2DQ Vx,Wx ; avx
v F3 0F 12 : VMOVSLDUP Vx,Wx ; avx
v F3 0F 16 : VMOVSHDUP Vx,Wx ; avx
v F3 0F 58 : VADDSS Vss,Hss,Wss ; avx
v F2 0F 58 : VADDSD Vsd,Hsd,Wsd ; avx
v F3 0F 5C : VSUBSS Vss,Hss,Wss ; avx
v F2 0F 5C : VSUBSD Vsd,Hsd,Wsd ; avx
v F3 0F 59 : VMULSS Vss,Hss,Wss ; avx
v F2 0F 59 : VMULSD Vsd,Hsd,Wsd ; avx
v F3 0F 5E : VDIVSS Vss,Hss,Wss ; avx
v F2 0F 5E : VDIVSD Vsd,Hsd,Wsd ; avx
v F3 0F 5D : VMINSS Vss,Hss,Wss ; avx
v F2 0F 5D : VMINSD Vsd,Hsd,Wsd ; avx
v F3 0F 5F : VMAXSS Vss,Hss,Wss ; avx
v F2 0F 5F : VMAXSD Vsd,Hsd,Wsd ; avx
v F3 0F 51 : VSQRTSS Vss,Hss,Wss ; avx
v F2 0F 51 : VSQRTSD Vsd,Hsd,Wsd ; avx
v F3 0F 52 : VRSQRTSS Vss,Hss,Wss ; avx
v F3 0F 53 : VRCPSS Vss,Hss,Wss ; avx
v F3 0F C2 : VCMPSS Vss,Hss,Wss,Ib ; avx
v F2 0F C2 : VCMPSD Vsd,Hsd,Wsd,Ib ; avx
v F3 0F 5A : VCVTSS2SD Vsd,Hsd,Wss ; avx
v F2 0F 5A : VCVTSD2SS Vss,Hss,Wsd ; avx
v 66 0F 3A 0A : VROUNDSS Vss,Hss,Wss,Ib ; avx
v 66 0F 3A 0B : VROUNDSD Vsd,Hsd,Wsd,Ib ; avx
v F3 0F 2A : VCVTSI2SS Vss,Hss,Ey ; avx
v F2 0F 2A : VCVTSI2SD Vsd,Hsd,Ey ; avx
v 66 0F 3A 41 l0 : VDPPD Vpd,Hpd,Wpd,Ib ; avx
v 66 0F 38 DC l0 : VAESENC Vdq,Hdq,Wdq ; avx
v 66 0F 38 DD l0 : VAESENCLAST Vdq,Hdq,Wdq ; avx
v 66 0F 38 DE l0 : VAESDEC Vdq,Hdq,Wdq ; avx
v 66 0F 38 DF l0 : VAESDECLAST Vdq,Hdq,Wdq ; avx
v 66 0F 3A 44 l0 : VPCLMULQDQ Vdq,Hdq,Wdq,Ib ; avx
v np 0F 12 r l0 : VMOVHLPS Vq,Hq,Uq ; avx
v np 0F 16 r l0 : VMOVLHPS Vq,Hq,Uq ; avx
v 66 0F 3A 21 l0 : VINSERTPS Vps,Hps,Wss,Ib ; avx
v 66 0F 38 41 l0 : VPHMINPOSUW Vdq,Wdq ; avx
v 66 0F 38 DB l0 : VAESIMC Vdq,Wdq ; avx
v 66 0F 3A DF l0 : VAESKEYGENASSIST Vdq,Wdq,Ib ; avx
v 66 0F 3A 61 l0 : VPCMPESTRI Vdq,Wdq,Ib ; avx
v 66 0F 3A 60 l0 : VPCMPESTRM Vdq,Wdq,Ib ; avx
v 66 0F 3A 63 l0 : VPCMPISTRI Vdq,Wdq,Ib ; avx
v 66 0F 3A 62 l0 : VPCMPISTRM Vdq,Wdq,Ib ; avx
v 66 0F FC l0 : VPADDB Vx,Hx,Wx ; avx
v 66 0F FC l1 : VPADDB Vx,Hx,Wx ; avx2
v 66 0F FD l0 : VPADDW Vx,Hx,Wx ; avx
v 66 0F FD l1 : VPADDW Vx,Hx,Wx ; avx2
v 66 0F FE l0 : VPADDD Vx,Hx,Wx ; avx
v 66 0F FE l1 : VPADDD Vx,Hx,Wx ; avx2
v 66 0F D4 l0 : VPADDQ Vx,Hx,Wx ; avx
v 66 0F D4 l1 : VPADDQ Vx,Hx,Wx ; avx2
v 66 0F F8 l0 : VPSUBB Vx,Hx,Wx ; avx
v 66 0F F8 l1 : VPSUBB Vx,Hx,Wx ; avx2
v 66 0F F9 l0 : VPSUBW Vx,Hx,Wx ; avx
v 66 0F F9 l1 : VPSUBW Vx,Hx,Wx ; avx2
v 66 0F FA l0 : VPSUBD Vx,Hx,Wx ; avx
v 66 0F FA l1 : VPSUBD Vx,Hx,Wx ; avx2
v 66 0F FB l0 : VPSUBQ Vx,Hx,Wx ; avx
v 66 0F FB l1 : VPSUBQ Vx,Hx,Wx ; avx2
v 66 0F EC l0 : VPADDSB Vx,Hx,Wx ; avx
v 66 0F EC l1 : VPADDSB Vx,Hx,Wx ; avx2
v 66 0F ED l0 : VPADDSW Vx,Hx,Wx ; avx
v 66 0F ED l1 : VPADDSW Vx,Hx,Wx ; avx2
v 66 0F DC l0 : VPADDUSB Vx,Hx,Wx ; avx
v 66 0F DC l1 : VPADDUSB Vx,Hx,Wx ; avx2
v 66 0F DD l0 : VPADDUSW Vx,Hx,Wx ; avx
v 66 0F DD l1 : VPADDUSW Vx,Hx,Wx ; avx2
v 66 0F E8 l0 : VPSUBSB Vx,Hx,Wx ; avx
v 66 0F E8 l1 : VPSUBSB Vx,Hx,Wx ; avx2
v 66 0F E9 l0 : VPSUBSW Vx,Hx,Wx ; avx
v 66 0F E9 l1 : VPSUBSW Vx,Hx,Wx ; avx2
v 66 0F D8 l0 : VPSUBUSB Vx,Hx,Wx ; avx
v 66 0F D8 l1 : VPSUBUSB Vx,Hx,Wx ; avx2
v 66 0F D9 l0 : VPSUBUSW Vx,Hx,Wx ; avx
v 66 0F D9 l1 : VPSUBUSW Vx,Hx,Wx ; avx2
v 66 0F 74 l0 : VPCMPEQB Vx,Hx,Wx ; avx
v 66 0F 74 l1 : VPCMPEQB Vx,Hx,Wx ; avx2
v 66 0F 75 l0 : VPCMPEQW Vx,Hx,Wx ; avx
v 66 0F 75 l1 : VPCMPEQW Vx,Hx,Wx ; avx2
v 66 0F 76 l0 : VPCMPEQD Vx,Hx,Wx ; avx
v 66 0F 76 l1 : VPCMPEQD Vx,Hx,Wx ; avx2
v 66 0F 64 l0 : VPCMPGTB Vx,Hx,Wx ; avx
v 66 0F 64 l1 : VPCMPGTB Vx,Hx,Wx ; avx2
v 66 0F 65 l0 : VPCMPGTW Vx,Hx,Wx ; avx
v 66 0F 65 l1 : VPCMPGTW Vx,Hx,Wx ; avx2
v 66 0F 66 l0 : VPCMPGTD Vx,Hx,Wx ; avx
v 66 0F 66 l1 : VPCMPGTD Vx,Hx,Wx ; avx2
v 66 0F D5 l0 : VPMULLW Vx,Hx,Wx ; avx
v 66 0F D5 l1 : VPMULLW Vx,Hx,Wx ; avx2
v 66 0F E5 l0 : VPMULHW Vx,Hx,Wx ; avx
v 66 0F E5 l1 : VPMULHW Vx,Hx,Wx ; avx2
v 66 0F E4 l0 : VPMULHUW Vx,Hx,Wx ; avx
v 66 0F E4 l1 : VPMULHUW Vx,Hx,Wx ; avx2
v 66 0F F4 l0 : VPMULUDQ Vx,Hx,Wx ; avx
v 66 0F F4 l1 : VPMULUDQ Vx,Hx,Wx ; avx2
v 66 0F F5 l0 : VPMADDWD Vx,Hx,Wx ; avx
v 66 0F F5 l1 : VPMADDWD Vx,Hx,Wx ; avx2
v 66 0F F6 l0 : VPSADBW Vx,Hx,Wx ; avx
v 66 0F F6 l1 : VPSADBW Vx,Hx,Wx ; avx2
v 66 0F E0 l0 : VPAVGB Vx,Hx,Wx ; avx
v 66 0F E0 l1 : VPAVGB Vx,Hx,Wx ; avx2
v 66 0F E3 l0 : VPAVGW Vx,Hx,Wx ; avx
v 66 0F E3 l1 : VPAVGW Vx,Hx,Wx ; avx2
v 66 0F DA l0 : VPMINUB Vx,Hx,Wx ; avx
v 66 0F DA l1 : VPMINUB Vx,Hx,Wx ; avx2
v 66 0F DE l0 : VPMAXUB Vx,Hx,Wx ; avx
v 66 0F DE l1 : VPMAXUB Vx,Hx,Wx ; avx2
v 66 0F EA l0 : VPMINSW Vx,Hx,Wx ; avx
v 66 0F EA l1 : VPMINSW Vx,Hx,Wx ; avx2
v 66 0F EE l0 : VPMAXSW Vx,Hx,Wx ; avx
v 66 0F EE l1 : VPMAXSW Vx,Hx,Wx ; avx2
v 66 0F 60 l0 : VPUNPCKLBW Vx,Hx,Wx ; avx
v 66 0F 60 l1 : VPUNPCKLBW Vx,Hx,Wx ; avx2
v 66 0F 61 l0 : VPUNPCKLWD Vx,Hx,Wx ; avx
v 66 0F 61 l1 : VPUNPCKLWD Vx,Hx,Wx ; avx2
v 66 0F 62 l0 : VPUNPCKLDQ Vx,Hx,Wx ; avx
v 66 0F 62 l1 : VPUNPCKLDQ Vx,Hx,Wx ; avx2
v 66 0F 68 l0 : VPUNPCKHBW Vx,Hx,Wx ; avx
v 66 0F 68 l1 : VPUNPCKHBW Vx,Hx,Wx ; avx2
v 66 0F 69 l0 : VPUNPCKHWD Vx,Hx,Wx ; avx
v 66 0F 69 l1 : VPUNPCKHWD Vx,Hx,Wx ; avx2
v 66 0F 6A l0 : VPUNPCKHDQ Vx,Hx,Wx ; avx
v 66 0F 6A l1 : VPUNPCKHDQ Vx,Hx,Wx ; avx2
v 66 0F 6C l0 : VPUNPCKLQDQ Vx,Hx,Wx ; avx
v 66 0F 6C l1 : VPUNPCKLQDQ Vx,Hx,Wx ; avx2
v 66 0F 6D l0 : VPUNPCKHQDQ Vx,Hx,Wx ; avx
v 66 0F 6D l1 : VPUNPCKHQDQ Vx,Hx,Wx ; avx2
v 66 0F 63 l0 : VPACKSSWB Vx,Hx,Wx ; avx
v 66 0F 63 l1 : VPACKSSWB Vx,Hx,Wx ; avx2
v 66 0F 67 l0 : VPACKUSWB Vx,Hx,Wx ; avx
v 66 0F 67 l1 : VPACKUSWB Vx,Hx,Wx ; avx2
v 66 0F 6B l0 : VPACKSSDW Vx,Hx,Wx ; avx
v 66 0F 6B l1 : VPACKSSDW Vx,Hx,Wx ; avx2
v 66 0F DB l0 : VPAND Vx,Hx,Wx ; avx
v 66 0F DB l1 : VPAND Vx,Hx,Wx ; avx2
v 66 0F DF l0 : VPANDN Vx,Hx,Wx ; avx
v 66 0F DF l1 : VPANDN Vx,Hx,Wx ; avx2
v 66 0F EB l0 : VPOR Vx,Hx,Wx ; avx
v 66 0F EB l1 : VPOR Vx,Hx,Wx ; avx2
v 66 0F EF l0 : VPXOR Vx,Hx,Wx ; avx
v 66 0F EF l1 : VPXOR Vx,Hx,Wx ; avx2
v 66 0F 38 00 l0 : VPSHUFB Vx,Hx,Wx ; avx
v 66 0F 38 00 l1 : VPSHUFB Vx,Hx,Wx ; avx2
v 66 0F 38 01 l0 : VPHADDW Vx,Hx,Wx ; avx
v 66 0F 38 01 l1 : VPHADDW Vx,Hx,Wx ; avx2
v 66 0F 38 02 l0 : VPHADDD Vx,Hx,Wx ; avx
v 66 0F 38 02 l1 : VPHADDD Vx,Hx,Wx ; avx2
v 66 0F 38 03 l0 : VPHADDSW Vx,Hx,Wx ; avx
v 66 0F 38 03 l1 : VPHADDSW Vx,Hx,Wx ; avx2
v 66 0F 38 04 l0 : VPMADDUBSW Vx,Hx,Wx ; avx
v 66 0F 38 04 l1 : VPMADDUBSW Vx,Hx,Wx ; avx2
v 66 0F 38 05 l0 : VPHSUBW Vx,Hx,Wx ; avx
v 66 0F 38 05 l1 : VPHSUBW Vx,Hx,Wx ; avx2
v 66 0F 38 06 l0 : VPHSUBD Vx,Hx,Wx ; avx
v 66 0F 38 06 l1 : VPHSUBD Vx,Hx,Wx ; avx2
v 66 0F 38 07 l0 : VPHSUBSW Vx,Hx,Wx ; avx
v 66 0F 38 07 l1 : VPHSUBSW Vx,Hx,Wx ; avx2
v 66 0F 38 08 l0 : VPSIGNB Vx,Hx,Wx ; avx
v 66 0F 38 08 l1 : VPSIGNB Vx,Hx,Wx ; avx2
v 66 0F 38 09 l0 : VPSIGNW Vx,Hx,Wx ; avx
v 66 0F 38 09 l1 : VPSIGNW Vx,Hx,Wx ; avx2
v 66 0F 38 0A l0 : VPSIGND Vx,Hx,Wx ; avx
v 66 0F 38 0A l1 : VPSIGND Vx,Hx,Wx ; avx2
v 66 0F 38 0B l0 : VPMULHRSW Vx,Hx,Wx ; avx
v 66 0F 38 0B l1 : VPMULHRSW Vx,Hx,Wx ; avx2
v 66 0F 3A 0F l0 : VPALIGNR Vx,Hx,Wx,Ib ; avx
v 66 0F 3A 0F l1 : VPALIGNR Vx,Hx,Wx,Ib ; avx2
v 66 0F 38 28 l0 : VPMULDQ Vx,Hx,Wx ; avx
v 66 0F 38 28 l1 : VPMULDQ Vx,Hx,Wx ; avx2
v 66 0F 38 29 l0 : VPCMPEQQ Vx,Hx,Wx ; avx
v 66 0F 38 29 l1 : VPCMPEQQ Vx,Hx,Wx ; avx2
v 66 0F 38 2B l0 : VPACKUSDW Vx,Hx,Wx ; avx
v 66 0F 38 2B l1 : VPACKUSDW Vx,Hx,Wx ; avx2
v 66 0F 38 37 l0 : VPCMPGTQ Vx,Hx,Wx ; avx
v 66 0F 38 37 l1 : VPCMPGTQ Vx,Hx,Wx ; avx2
v 66 0F 38 38 l0 : VPMINSB Vx,Hx,Wx ; avx
v 66 0F 38 38 l1 : VPMINSB Vx,Hx,Wx ; avx2
v 66 0F 38 39 l0 : VPMINSD Vx,Hx,Wx ; avx
v 66 0F 38 39 l1 : VPMINSD Vx,Hx,Wx ; avx2
v 66 0F 38 3A l0 : VPMINUW Vx,Hx,Wx ; avx
v 66 0F 38 3A l1 : VPMINUW Vx,Hx,Wx ; avx2
v 66 0F 38 3B l0 : VPMINUD Vx,Hx,Wx ; avx
v 66 0F 38 3B l1 : VPMINUD Vx,Hx,Wx ; avx2
v 66 0F 38 3C l0 : VPMAXSB Vx,Hx,Wx ; avx
v 66 0F 38 3C l1 : VPMAXSB Vx,Hx,Wx ; avx2
v 66 0F 38 3D l0 : VPMAXSD Vx,Hx,Wx ; avx
v 66 0F 38 3D l1 : VPMAXSD Vx,Hx,Wx ; avx2
v 66 0F 38 3E l0 : VPMAXUW Vx,Hx,Wx ; avx
v 66 0F 38 3E l1 : VPMAXUW Vx,Hx,Wx ; avx2
v 66 0F 38 3F l0 : VPMAXUD Vx,Hx,Wx ; avx
v 66 0F 38 3F l1 : VPMAXUD Vx,Hx,Wx ; avx2
v 66 0F 38 40 l0 : VPMULLD Vx,Hx,Wx ; avx
v 66 0F 38 40 l1 : VPMULLD Vx,Hx,Wx ; avx2
v 66 0F 3A 0E l0 : VPBLENDW Vx,Hx,Wx,Ib ; avx
v 66 0F 3A 0E l1 : VPBLENDW Vx,Hx,Wx,Ib ; avx2
v 66 0F 3A 42 l0 : VMPSADBW Vx,Hx,Wx,Ib ; avx
v 66 0F 3A 42 l1 : VMPSADBW Vx,Hx,Wx,Ib ; avx2
v 66 0F 38 1C l0 : VPABSB Vx,Wx ; avx
v 66 0F 38 1C l1 : VPABSB Vx,Wx ; avx2
v 66 0F 38 1D l0 : VPABSW Vx,Wx ; avx
v 66 0F 38 1D l1 : VPABSW Vx,Wx ; avx2
v 66 0F 38 1E l0 : VPABSD Vx,Wx ; avx
v 66 0F 38 1E l1 : VPABSD Vx,Wx ; avx2
v 66 0F 70 l0 : VPSHUFD Vx,Wx,Ib ; avx
v 66 0F 70 l1 : VPSHUFD Vx,Wx,Ib ; avx2
v F3 0F 70 l0 : VPSHUFHW Vx,Wx,Ib ; avx
v F3 0F 70 l1 : VPSHUFHW Vx,Wx,Ib ; avx2
v F2 0F 70 l0 : VPSHUFLW Vx,Wx,Ib ; avx
v F2 0F 70 l1 : VPSHUFLW Vx,Wx,Ib ; avx2
v 66 0F D1 l0 : VPSRLW Vx,Hx,Wdq ; avx
v 66 0F D1 l1 : VPSRLW Vx,Hx,Wdq ; avx2
v 66 0F D2 l0 : VPSRLD Vx,Hx,Wdq ; avx
v 66 0F D2 l1 : VPSRLD Vx,Hx,Wdq ; avx2
v 66 0F D3 l0 : VPSRLQ Vx,Hx,Wdq ; avx
v 66 0F D3 l1 : VPSRLQ Vx,Hx,Wdq ; avx2
v 66 0F E1 l0 : VPSRAW Vx,Hx,Wdq ; avx
v 66 0F E1 l1 : VPSRAW Vx,Hx,Wdq ; avx2
v 66 0F E2 l0 : VPSRAD Vx,Hx,Wdq ; avx
v 66 0F E2 l1 : VPSRAD Vx,Hx,Wdq ; avx2
v 66 0F F1 l0 : VPSLLW Vx,Hx,Wdq ; avx
v 66 0F F1 l1 : VPSLLW Vx,Hx,Wdq ; avx2
v 66 0F F2 l0 : VPSLLD Vx,Hx,Wdq ; avx
v 66 0F F2 l1 : VPSLLD Vx,Hx,Wdq ; avx2
v 66 0F F3 l0 : VPSLLQ Vx,Hx,Wdq ; avx
v 66 0F F3 l1 : VPSLLQ Vx,Hx,Wdq ; avx2
v 66 0F 71 /2 r l0 : VPSRLW Hx,Ux,Ib ; avx
v 66 0F 71 /2 r l1 : VPSRLW Hx,Ux,Ib ; avx2
v 66 0F 71 /4 r l0 : VPSRAW Hx,Ux,Ib ; avx
v 66 0F 71 /4 r l1 : VPSRAW Hx,Ux,Ib ; avx2
v 66 0F 71 /6 r l0 : VPSLLW Hx,Ux,Ib ; avx
v 66 0F 71 /6 r l1 : VPSLLW Hx,Ux,Ib ; avx2
v 66 0F 72 /2 r l0 : VPSRLD Hx,Ux,Ib ; avx
v 66 0F 72 /2 r l1 : VPSRLD Hx,Ux,Ib ; avx2
v 66 0F 72 /4 r l0 : VPSRAD Hx,Ux,Ib ; avx
v 66 0F 72 /4 r l1 : VPSRAD Hx,Ux,Ib ; avx2
v 66 0F 72 /6 r l0 : VPSLLD Hx,Ux,Ib ; avx
v 66 0F 72 /6 r l1 : VPSLLD Hx,Ux,Ib ; avx2
v 66 0F 73 /2 r l0 : VPSRLQ Hx,Ux,Ib ; avx
v 66 0F 73 /2 r l1 : VPSRLQ Hx,Ux,Ib ; avx2
v 66 0F 73 /3 r l0 : VPSRLDQ Hx,Ux,Ib ; avx
v 66 0F 73 /3 r l1 : VPSRLDQ Hx,Ux,Ib ; avx2
v 66 0F 73 /6 r l0 : VPSLLQ Hx,Ux,Ib ; avx
v 66 0F 73 /6 r l1 : VPSLLQ Hx,Ux,Ib ; avx2
v 66 0F 73 /7 r l0 : VPSLLDQ Hx,Ux,Ib ; avx
v 66 0F 73 /7 r l1 : VPSLLDQ Hx,Ux,Ib ; avx2
v np 0F 10 : VMOVUPS Vx,Wx ; avx
v 66 0F 10 : VMOVUPD Vx,Wx ; avx
v np 0F 11 : VMOVUPS Wx,Vx ; avx
v 66 0F 11 : VMOVUPD Wx,Vx ; avx
v np 0F 28 : VMOVAPS Vx,Wx ; avx
v 66 0F 28 : VMOVAPD Vx,Wx ; avx
v np 0F 29 : VMOVAPS Wx,Vx ; avx
v 66 0F 29 : VMOVAPD Wx,Vx ; avx
v 66 0F 6F : VMOVDQA Vx,Wx ; avx
v F3 0F 6F : VMOVDQU Vx,Wx ; avx
v 66 0F 7F : VMOVDQA Wx,Vx ; avx
v F3 0F 7F : VMOVDQU Wx,Vx ; avx
v F2 0F F0 : VLDDQU Vx,Mx ; avx
v np 0F 2B : VMOVNTPS Mx,Vx ; avx
v 66 0F 2B : VMOVNTPD Mx,Vx ; avx
v 66 0F E7 : VMOVNTDQ Mx,Vx ; avx
v 66 0F 38 2A l0 : VMOVNTDQA Vx,Mx ; avx
v 66 0F 38 2A l1 : VMOVNTDQA Vx,Mx ; avx2
v F3 0F 10 m : VMOVSS Vss,Mss ; avx
v F3 0F 10 r : VMOVSS Vss,Hss,Uss ; avx
v F2 0F 10 m : VMOVSD Vsd,Msd ; avx
v F2 0F 10 r : VMOVSD Vsd,Hsd,Usd ; avx
v F3 0F 11 m : VMOVSS Mss,Vss ; avx
v F3 0F 11 r : VMOVSS Uss,Hss,Vss ; avx
v F2 0F 11 m : VMOVSD Msd,Vsd ; avx
v F2 0F 11 r : VMOVSD Usd,Hsd,Vsd ; avx
v np 0F 12 m l0 : VMOVLPS Vq,Hq,Mq ; avx
v 66 0F 12 m l0 : VMOVLPD Vq,Hq,Mq ; avx
v np 0F 13 m l0 : VMOVLPS Mq,Vq ; avx
v 66 0F 13 m l0 : VMOVLPD Mq,Vq ; avx
v np 0F 16 m l0 : VMOVHPS Vq,Hq,Mq ; avx
v 66 0F 16 m l0 : VMOVHPD Vq,Hq,Mq ; avx
v np 0F 17 m l0 : VMOVHPS Mq,Vq ; avx
v 66 0F 17 m l0 : VMOVHPD Mq,Vq ; avx
v F2 0F 12 l0 : VMOVDDUP Vx,Wq ; avx
v F2 0F 12 l1 : VMOVDDUP Vx,Wx ; avx
v F3 0F 2C : VCVTTSS2SI Gy,Wss ; avx
v F2 0F 2C : VCVTTSD2SI Gy,Wsd ; avx
v F3 0F 2D : VCVTSS2SI Gy,Wss ; avx
v F2 0F 2D : VCVTSD2SI Gy,Wsd ; avx
v np 0F 2E : VUCOMISS Vss,Wss ; avx
v 66 0F 2E : VUCOMISD Vsd,Wsd ; avx
v np 0F 2F : VCOMISS Vss,Wss ; avx
v 66 0F 2F : VCOMISD Vsd,Wsd ; avx
v np 0F 50 r : VMOVMSKPS Gd,Ux ; avx
v 66 0F 50 r : VMOVMSKPD Gd,Ux ; avx
v np 0F 5A l0 : VCVTPS2PD Vx,Wq ; avx
v np 0F 5A l1 : VCVTPS2PD Vx,Wdq ; avx
v F3 0F E6 l0 : VCVTDQ2PD Vx,Wq ; avx
v F3 0F E6 l1 : VCVTDQ2PD Vx,Wdq ; avx
v 66 0F 5A : VCVTPD2PS Vdq,Wx ; avx
v 66 0F E6 : VCVTTPD2DQ Vdq,Wx ; avx
v F2 0F E6 : VCVTPD2DQ Vdq,Wx ; avx
v 66 0F 6E l0 : VMOVD Vdq,Ey ; avx
v 66 0F 7E l0 : VMOVD Ey,Vd ; avx
v F3 0F 7E l0 : VMOVQ Vq,Wq ; avx
v 66 0F D6 l0 : VMOVQ Wq,Vq ; avx
v np 0F 77 l0 : VZEROUPPER ; avx
v np 0F 77 l1 : VZEROALL ; avx
v np 0F AE /2 m l0 : VLDMXCSR Md ; avx
v np 0F AE /3 m l0 : VSTMXCSR Md ; avx
v 66 0F C4 l0 : VPINSRW Vdq,Hdq,Ew,Ib ; avx
v 66 0F C5 r l0 : VPEXTRW Gd,Udq,Ib ; avx
v 66 0F D7 r l0 : VPMOVMSKB Gd,Ux ; avx
v 66 0F D7 r l1 : VPMOVMSKB Gd,Ux ; avx2
v 66 0F F7 r l0 : VMASKMOVDQU Vdq,Udq ; avx
v 66 0F 38 0C w0 : VPERMILPS Vx,Hx,Wx ; avx
v 66 0F 38 0D w0 : VPERMILPD Vx,Hx,Wx ; avx
v 66 0F 38 0E w0 : VTESTPS Vx,Wx ; avx
v 66 0F 38 0F w0 : VTESTPD Vx,Wx ; avx
v 66 0F 38 13 w0 l0 : VCVTPH2PS Vx,Wq ; f16c
v 66 0F 38 13 w0 l1 : VCVTPH2PS Vx,Wdq ; f16c
v 66 0F 38 16 w0 l1 : VPERMPS Vx,Hx,Wx ; avx2
v 66 0F 38 17 : VPTEST Vx,Wx ; avx
v 66 0F 38 18 m w0 : VBROADCASTSS Vx,Md ; avx
v 66 0F 38 18 r w0 : VBROADCASTSS Vx,Udq ; avx2
v 66 0F 38 19 m w0 l1 : VBROADCASTSD Vx,Mq ; avx
v 66 0F 38 19 r w0 l1 : VBROADCASTSD Vx,Udq ; avx2
v 66 0F 38 1A m w0 l1 : VBROADCASTF128 Vx,Mdq ; avx
v 66 0F 38 20 l0 : VPMOVSXBW Vx,Wq ; avx
v 66 0F 38 20 l1 : VPMOVSXBW Vx,Wdq ; avx2
v 66 0F 38 21 l0 : VPMOVSXBD Vx,Wd ; avx
v 66 0F 38 21 l1 : VPMOVSXBD Vx,Wq ; avx2
v 66 0F 38 22 l0 : VPMOVSXBQ Vx,Ww ; avx
v 66 0F 38 22 l1 : VPMOVSXBQ Vx,Wd ; avx2
v 66 0F 38 23 l0 : VPMOVSXWD Vx,Wq ; avx
v 66 0F 38 23 l1 : VPMOVSXWD Vx,Wdq ; avx2
v 66 0F 38 24 l0 : VPMOVSXWQ Vx,Wd ; avx
v 66 0F 38 24 l1 : VPMOVSXWQ Vx,Wq ; avx2
v 66 0F 38 25 l0 : VPMOVSXDQ Vx,Wq ; avx
v 66 0F 38 25 l1 : VPMOVSXDQ Vx,Wdq ; avx2
v 66 0F 38 30 l0 : VPMOVZXBW Vx,Wq ; avx
v 66 0F 38 30 l1 : VPMOVZXBW Vx,Wdq ; avx2
v 66 0F 38 31 l0 : VPMOVZXBD Vx,Wd ; avx
v 66 0F 38 31 l1 : VPMOVZXBD Vx,Wq ; avx2
v 66 0F 38 32 l0 : VPMOVZXBQ Vx,Ww ; avx
v 66 0F 38 32 l1 : VPMOVZXBQ Vx,Wd ; avx2
v 66 0F 38 33 l0 : VPMOVZXWD Vx,Wq ; avx
v 66 0F 38 33 l1 : VPMOVZXWD Vx,Wdq ; avx2
v 66 0F 38 34 l0 : VPMOVZXWQ Vx,Wd ; avx
v 66 0F 38 34 l1 : VPMOVZXWQ Vx,Wq ; avx2
v 66 0F 38 35 l0 : VPMOVZXDQ Vx,Wq ; avx
v 66 0F 38 35 l1 : VPMOVZXDQ Vx,Wdq ; avx2
v 66 0F 38 2C w0 : VMASKMOVPS Vx,Hx,Mx ; avx
v 66 0F 38 2D w0 : VMASKMOVPD Vx,Hx,Mx ; avx
v 66 0F 38 2E w0 : VMASKMOVPS Mx,Hx,Vx ; avx
v 66 0F 38 2F w0 : VMASKMOVPD Mx,Hx,Vx ; avx
v 66 0F 38 36 w0 l1 : VPERMD Vx,Hx,Wx ; avx2
v 66 0F 38 45 w0 : VPSRLVD Vx,Hx,Wx ; avx2
v 66 0F 38 45 w1 : VPSRLVQ Vx,Hx,Wx ; avx2
v 66 0F 38 46 w0 : VPSRAVD Vx,Hx,Wx ; avx2
v 66 0F 38 47 w0 : VPSLLVD Vx,Hx,Wx ; avx2
v 66 0F 38 47 w1 : VPSLLVQ Vx,Hx,Wx ; avx2
v 66 0F 38 58 w0 : VPBROADCASTD Vx,Wd ; avx2
v 66 0F 38 59 w0 : VPBROADCASTQ Vx,Wq ; avx2
v 66 0F 38 5A m w0 l1 : VBROADCASTI128 Vx,Mdq ; avx2
v 66 0F 38 78 w0 : VPBROADCASTB Vx,Wb ; avx2
v 66 0F 38 79 w0 : VPBROADCASTW Vx,Ww ; avx2
v 66 0F 38 8C w0 : VPMASKMOVD Vx,Hx,Mx ; avx2
v 66 0F 38 8C w1 : VPMASKMOVQ Vx,Hx,Mx ; avx2
v 66 0F 38 8E w0 : VPMASKMOVD Mx,Hx,Vx ; avx2
v 66 0F 38 8E w1 : VPMASKMOVQ Mx,Hx,Vx ; avx2
v 66 0F 38 90 m w0 : VPGATHERDD Vx,Ms,Hx ; avx2
v 66 0F 38 90 m w1 : VPGATHERDQ Vx,Ms,Hx ; avx2
v 66 0F 38 91 m w0 : VPGATHERQD Vx,Ms,Hx ; avx2
v 66 0F 38 91 m w1 : VPGATHERQQ Vx,Ms,Hx ; avx2
v 66 0F 38 92 m w0 : VGATHERDPS Vx,Ms,Hx ; avx2
v 66 0F 38 92 m w1 : VGATHERDPD Vx,Ms,Hx ; avx2
v 66 0F 38 93 m w0 : VGATHERQPS Vx,Ms,Hx ; avx2
v 66 0F 38 93 m w1 : VGATHERQPD Vx,Ms,Hx ; avx2
v 66 0F 38 96 w0 : VFMADDSUB132PS Vx,Hx,Wx ; fma
v 66 0F 38 96 w1 : VFMADDSUB132PD Vx,Hx,Wx ; fma
v 66 0F 38 97 w0 : VFMSUBADD132PS Vx,Hx,Wx ; fma
v 66 0F 38 97 w1 : VFMSUBADD132PD Vx,Hx,Wx ; fma
v 66 0F 38 98 w0 : VFMADD132PS Vx,Hx,Wx ; fma
v 66 0F 38 98 w1 : VFMADD132PD Vx,Hx,Wx ; fma
v 66 0F 38 99 w0 : VFMADD132SS Vss,Hss,Wss ; fma
v 66 0F 38 99 w1 : VFMADD132SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 9A w0 : VFMSUB132PS Vx,Hx,Wx ; fma
v 66 0F 38 9A w1 : VFMSUB132PD Vx,Hx,Wx ; fma
v 66 0F 38 9B w0 : VFMSUB132SS Vss,Hss,Wss ; fma
v 66 0F 38 9B w1 : VFMSUB132SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 9C w0 : VFNMADD132PS Vx,Hx,Wx ; fma
v 66 0F 38 9C w1 : VFNMADD132PD Vx,Hx,Wx ; fma
v 66 0F 38 9D w0 : VFNMADD132SS Vss,Hss,Wss ; fma
v 66 0F 38 9D w1 : VFNMADD132SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 9E w0 : VFNMSUB132PS Vx,Hx,Wx ; fma
v 66 0F 38 9E w1 : VFNMSUB132PD Vx,Hx,Wx ; fma
v 66 0F 38 9F w0 : VFNMSUB132SS Vss,Hss,Wss ; fma
v 66 0F 38 9F w1 : VFNMSUB132SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 A6 w0 : VFMADDSUB213PS Vx,Hx,Wx ; fma
v 66 0F 38 A6 w1 : VFMADDSUB213PD Vx,Hx,Wx ; fma
v 66 0F 38 A7 w0 : VFMSUBADD213PS Vx,Hx,Wx ; fma
v 66 0F 38 A7 w1 : VFMSUBADD213PD Vx,Hx,Wx ; fma
v 66 0F 38 A8 w0 : VFMADD213PS Vx,Hx,Wx ; fma
v 66 0F 38 A8 w1 : VFMADD213PD Vx,Hx,Wx ; fma
v 66 0F 38 A9 w0 : VFMADD213SS Vss,Hss,Wss ; fma
v 66 0F 38 A9 w1 : VFMADD213SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 AA w0 : VFMSUB213PS Vx,Hx,Wx ; fma
v 66 0F 38 AA w1 : VFMSUB213PD Vx,Hx,Wx ; fma
v 66 0F 38 AB w0 : VFMSUB213SS Vss,Hss,Wss ; fma
v 66 0F 38 AB w1 : VFMSUB213SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 AC w0 : VFNMADD213PS Vx,Hx,Wx ; fma
v 66 0F 38 AC w1 : VFNMADD213PD Vx,Hx,Wx ; fma
v 66 0F 38 AD w0 : VFNMADD213SS Vss,Hss,Wss ; fma
v 66 0F 38 AD w1 : VFNMADD213SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 AE w0 : VFNMSUB213PS Vx,Hx,Wx ; fma
v 66 0F 38 AE w1 : VFNMSUB213PD Vx,Hx,Wx ; fma
v 66 0F 38 AF w0 : VFNMSUB213SS Vss,Hss,Wss ; fma
v 66 0F 38 AF w1 : VFNMSUB213SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 B6 w0 : VFMADDSUB231PS Vx,Hx,Wx ; fma
v 66 0F 38 B6 w1 : VFMADDSUB231PD Vx,Hx,Wx ; fma
v 66 0F 38 B7 w0 : VFMSUBADD231PS Vx,Hx,Wx ; fma
v 66 0F 38 B7 w1 : VFMSUBADD231PD Vx,Hx,Wx ; fma
v 66 0F 38 B8 w0 : VFMADD231PS Vx,Hx,Wx ; fma
v 66 0F 38 B8 w1 : VFMADD231PD Vx,Hx,Wx ; fma
v 66 0F 38 B9 w0 : VFMADD231SS Vss,Hss,Wss ; fma
v 66 0F 38 B9 w1 : VFMADD231SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 BA w0 : VFMSUB231PS Vx,Hx,Wx ; fma
v 66 0F 38 BA w1 : VFMSUB231PD Vx,Hx,Wx ; fma
v 66 0F 38 BB w0 : VFMSUB231SS Vss,Hss,Wss ; fma
v 66 0F 38 BB w1 : VFMSUB231SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 BC w0 : VFNMADD231PS Vx,Hx,Wx ; fma
v 66 0F 38 BC w1 : VFNMADD231PD Vx,Hx,Wx ; fma
v 66 0F 38 BD w0 : VFNMADD231SS Vss,Hss,Wss ; fma
v 66 0F 38 BD w1 : VFNMADD231SD Vsd,Hsd,Wsd ; fma
v 66 0F 38 BE w0 : VFNMSUB231PS Vx,Hx,Wx ; fma
v 66 0F 38 BE w1 : VFNMSUB231PD Vx,Hx,Wx ; fma
v 66 0F 38 BF w0 : VFNMSUB231SS Vss,Hss,Wss ; fma
v 66 0F 38 BF w1 : VFNMSUB231SD Vsd,Hsd,Wsd ; fma
v 66 0F 3A 00 w1 l1 : VPERMQ Vx,Wx,Ib ; avx2
v 66 0F 3A 01 w1 l1 : VPERMPD Vx,Wx,Ib ; avx2
v 66 0F 3A 02 w0 : VPBLENDD Vx,Hx,Wx,Ib ; avx2
v 66 0F 3A 04 w0 : VPERMILPS Vx,Wx,Ib ; avx
v 66 0F 3A 05 w0 : VPERMILPD Vx,Wx,Ib ; avx
v 66 0F 3A 06 w0 l1 : VPERM2F128 Vx,Hx,Wx,Ib ; avx
v 66 0F 3A 14 l0 : VPEXTRB Eb,Vdq,Ib ; avx
v 66 0F 3A 15 l0 : VPEXTRW Ew,Vdq,Ib ; avx
v 66 0F 3A 16 l0 : VPEXTRD Ey,Vdq,Ib ; avx
v 66 0F 3A 17 l0 : VEXTRACTPS Ed,Vps,Ib ; avx
v 66 0F 3A 18 w0 l1 : VINSERTF128 Vx,Hx,Wdq,Ib ; avx
v 66 0F 3A 19 w0 l1 : VEXTRACTF128 Wdq,Vx,Ib ; avx
v 66 0F 3A 1D w0 l0 : VCVTPS2PH Wq,Vx,Ib ; f16c
v 66 0F 3A 1D w0 l1 : VCVTPS2PH Wdq,Vx,Ib ; f16c
v 66 0F 3A 20 l0 : VPINSRB Vdq,Hdq,Eb,Ib ; avx
v 66 0F 3A 22 l0 : VPINSRD Vdq,Hdq,Ey,Ib ; avx
v 66 0F 3A 38 w0 l1 : VINSERTI128 Vx,Hx,Wdq,Ib ; avx2
v 66 0F 3A 39 w0 l1 : VEXTRACTI128 Wdq,Vx,Ib ; avx2
v 66 0F 3A 46 w0 l1 : VPERM2I128 Vx,Hx,Wx,Ib ; avx2
v 66 0F 3A 4A w0 : VBLENDVPS Vx,Hx,Wx,Lx ; avx
v 66 0F 3A 4B w0 : VBLENDVPD Vx,Hx,Wx,Lx ; avx
v 66 0F 3A 4C w0 l0 : VPBLENDVB Vx,Hx,Wx,Lx ; avx
v 66 0F 3A 4C w0 l1 : VPBLENDVB Vx,Hx,Wx,Lx ; avx2
`

// bmiMap is BMI1, BMI2, ADX, SHA and XSAVE.
const bmiMap = `
v np 0F 38 F2 l0 : ANDN Gy,By,Ey ; bmi1
v np 0F 38 F3 /1 l0 : BLSR By,Ey ; bmi1
v np 0F 38 F3 /2 l0 : BLSMSK By,Ey ; bmi1
v np 0F 38 F3 /3 l0 : BLSI By,Ey ; bmi1
v np 0F 38 F7 l0 : BEXTR Gy,Ey,By ; bmi1
v np 0F 38 F5 l0 : BZHI Gy,Ey,By ; bmi2
v F3 0F 38 F5 l0 : PEXT Gy,By,Ey ; bmi2
v F2 0F 38 F5 l0 : PDEP Gy,By,Ey ; bmi2
v F2 0F 38 F6 l0 : MULX Gy,By,Ey ; bmi2
v 66 0F 38 F7 l0 : SHLX Gy,Ey,By ; bmi2
v F3 0F 38 F7 l0 : SARX Gy,Ey,By ; bmi2
v F2 0F 38 F7 l0 : SHRX Gy,Ey,By ; bmi2
v F2 0F 3A F0 l0 : RORX Gy,Ey,Ib ; bmi2
66 0F 38 F6 : ADCX Gy,Ey ; adx
F3 0F 38 F6 : ADOX Gy,Ey ; adx
np 0F 38 C8 : SHA1NEXTE Vdq,Wdq ; sha-ni
np 0F 38 C9 : SHA1MSG1 Vdq,Wdq ; sha-ni
np 0F 38 CA : SHA1MSG2 Vdq,Wdq ; sha-ni
np 0F 38 CB : SHA256RNDS2 Vdq,Wdq ; sha-ni
np 0F 38 CC : SHA256MSG1 Vdq,Wdq ; sha-ni
np 0F 38 CD : SHA256MSG2 Vdq,Wdq ; sha-ni
np 0F 3A CC : SHA1RNDS4 Vdq,Wdq,Ib ; sha-ni
0F 01 D0 : XGETBV ; xsave
0F 01 D1 : XSETBV ; xsave
np 0F AE /4 m : XSAVE Ms ; xsave
np 0F AE /5 m : XRSTOR Ms ; xsave
np 0F AE /6 m : XSAVEOPT Ms ; xsaveopt
`
