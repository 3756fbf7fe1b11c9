#include "lib/mime/labels.h"

#define LONGEST 32 /* no label is longer */

/* clang-format off */
enum encoding {
    UTF_8, UNNAMED, JIS, EUC_JP, BIG5, CP1250, CP1251, CP1252, CP1253, CP1254, CP1255, CP1256,
    CP1257, CP1258, CP437, CP850, CP852, CP874, CP932, GB18030, IBM866,
    ISO_2022_JP_2, ISO_2022_KR, ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15,
    ISO_8859_16, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8,
    KOI8_R, KOI8_U, MACINTOSH, MAC_CYRILLIC, UHC, UTF_16, UTF_16BE, UTF_16LE, VISCII
};

static const struct yb_charset_kind kinds[] = {
    [UTF_8] = { YB_CHARSET_UTF8, NULL }, [UNNAMED] = { YB_CHARSET_UNNAMED, NULL }, [JIS] = { YB_CHARSET_JIS, NULL },
    [EUC_JP] = { YB_CHARSET_EUC_JP, NULL }, [BIG5] = { YB_CHARSET_ICONV, "BIG5-HKSCS" },
    [CP1250] = { YB_CHARSET_ICONV, "CP1250" }, [CP1251] = { YB_CHARSET_ICONV, "CP1251" },
    [CP1252] = { YB_CHARSET_ICONV, "CP1252" }, [CP1253] = { YB_CHARSET_ICONV, "CP1253" },
    [CP1254] = { YB_CHARSET_ICONV, "CP1254" }, [CP1255] = { YB_CHARSET_ICONV, "CP1255" },
    [CP1256] = { YB_CHARSET_ICONV, "CP1256" }, [CP1257] = { YB_CHARSET_ICONV, "CP1257" },
    [CP1258] = { YB_CHARSET_ICONV, "CP1258" }, [CP437] = { YB_CHARSET_ICONV, "CP437" },
    [CP850] = { YB_CHARSET_ICONV, "CP850" }, [CP852] = { YB_CHARSET_ICONV, "CP852" },
    [CP874] = { YB_CHARSET_ICONV, "CP874" }, [CP932] = { YB_CHARSET_ICONV, "CP932" },
    [GB18030] = { YB_CHARSET_ICONV, "GB18030" }, [IBM866] = { YB_CHARSET_ICONV, "CP866" },
    [ISO_2022_JP_2] = { YB_CHARSET_ICONV, "ISO-2022-JP-2" }, [ISO_2022_KR] = { YB_CHARSET_ICONV, "ISO-2022-KR" },
    [ISO_8859_10] = { YB_CHARSET_ICONV, "ISO-8859-10" }, [ISO_8859_13] = { YB_CHARSET_ICONV, "ISO-8859-13" },
    [ISO_8859_14] = { YB_CHARSET_ICONV, "ISO-8859-14" }, [ISO_8859_15] = { YB_CHARSET_ICONV, "ISO-8859-15" },
    [ISO_8859_16] = { YB_CHARSET_ICONV, "ISO-8859-16" }, [ISO_8859_2] = { YB_CHARSET_ICONV, "ISO-8859-2" },
    [ISO_8859_3] = { YB_CHARSET_ICONV, "ISO-8859-3" }, [ISO_8859_4] = { YB_CHARSET_ICONV, "ISO-8859-4" },
    [ISO_8859_5] = { YB_CHARSET_ICONV, "ISO-8859-5" }, [ISO_8859_6] = { YB_CHARSET_ICONV, "ISO-8859-6" },
    [ISO_8859_7] = { YB_CHARSET_ICONV, "ISO-8859-7" }, [ISO_8859_8] = { YB_CHARSET_ICONV, "ISO-8859-8" },
    [KOI8_R] = { YB_CHARSET_ICONV, "KOI8-R" }, [KOI8_U] = { YB_CHARSET_ICONV, "KOI8-U" },
    [MACINTOSH] = { YB_CHARSET_ICONV, "MACINTOSH" }, [MAC_CYRILLIC] = { YB_CHARSET_ICONV, "MAC-CYRILLIC" },
    [UHC] = { YB_CHARSET_ICONV, "UHC" }, [UTF_16] = { YB_CHARSET_ICONV, "UTF-16" },
    [UTF_16BE] = { YB_CHARSET_ICONV, "UTF-16BE" }, [UTF_16LE] = { YB_CHARSET_ICONV, "UTF-16LE" },
    [VISCII] = { YB_CHARSET_ICONV, "VISCII" },
};

/* In the order of octets. */
static const struct { struct yb_str label; enum encoding encoding; } labels[] = {
    { YB_STR_INIT("437"), CP437 }, { YB_STR_INIT("50220"), JIS }, { YB_STR_INIT("50221"), JIS },
    { YB_STR_INIT("50222"), JIS }, { YB_STR_INIT("850"), CP850 }, { YB_STR_INIT("852"), CP852 },
    { YB_STR_INIT("866"), IBM866 }, { YB_STR_INIT("932"), CP932 }, { YB_STR_INIT("936"), GB18030 },
    { YB_STR_INIT("943"), CP932 }, { YB_STR_INIT("949"), UHC }, { YB_STR_INIT("950"), BIG5 },
    { YB_STR_INIT("ansi_x3.4-1968"), UNNAMED }, { YB_STR_INIT("ansi_x3.4-1986"), UNNAMED },
    { YB_STR_INIT("arabic"), ISO_8859_6 }, { YB_STR_INIT("ascii"), UNNAMED }, { YB_STR_INIT("asmo-708"), ISO_8859_6 },
    { YB_STR_INIT("big-5"), BIG5 }, { YB_STR_INIT("big5"), BIG5 }, { YB_STR_INIT("big5-hkscs"), BIG5 },
    { YB_STR_INIT("big5_hkscs"), BIG5 }, { YB_STR_INIT("big5hkscs"), BIG5 }, { YB_STR_INIT("chinese"), GB18030 },
    { YB_STR_INIT("cn-big5"), BIG5 }, { YB_STR_INIT("cp1250"), CP1250 }, { YB_STR_INIT("cp1251"), CP1251 },
    { YB_STR_INIT("cp1252"), CP1252 }, { YB_STR_INIT("cp1253"), CP1253 }, { YB_STR_INIT("cp1254"), CP1254 },
    { YB_STR_INIT("cp1255"), CP1255 }, { YB_STR_INIT("cp1256"), CP1256 }, { YB_STR_INIT("cp1257"), CP1257 },
    { YB_STR_INIT("cp1258"), CP1258 }, { YB_STR_INIT("cp367"), UNNAMED }, { YB_STR_INIT("cp437"), CP437 },
    { YB_STR_INIT("cp50220"), JIS }, { YB_STR_INIT("cp50221"), JIS }, { YB_STR_INIT("cp50222"), JIS },
    { YB_STR_INIT("cp51932"), EUC_JP }, { YB_STR_INIT("cp65001"), UTF_8 }, { YB_STR_INIT("cp819"), CP1252 },
    { YB_STR_INIT("cp850"), CP850 }, { YB_STR_INIT("cp852"), CP852 }, { YB_STR_INIT("cp866"), IBM866 },
    { YB_STR_INIT("cp874"), CP874 }, { YB_STR_INIT("cp932"), CP932 }, { YB_STR_INIT("cp936"), GB18030 },
    { YB_STR_INIT("cp943"), CP932 }, { YB_STR_INIT("cp943c"), CP932 }, { YB_STR_INIT("cp949"), UHC },
    { YB_STR_INIT("cp950"), BIG5 }, { YB_STR_INIT("csascii"), UNNAMED }, { YB_STR_INIT("csbig5"), BIG5 },
    { YB_STR_INIT("cseucjpwin"), EUC_JP }, { YB_STR_INIT("cseuckr"), UHC },
    { YB_STR_INIT("cseucpkdfmtjapanese"), EUC_JP }, { YB_STR_INIT("csgb18030"), GB18030 },
    { YB_STR_INIT("csgb2312"), GB18030 }, { YB_STR_INIT("csibm866"), IBM866 }, { YB_STR_INIT("csiso2022jp"), JIS },
    { YB_STR_INIT("csiso2022jp2"), ISO_2022_JP_2 }, { YB_STR_INIT("csiso2022jpms"), JIS },
    { YB_STR_INIT("csiso2022kr"), ISO_2022_KR }, { YB_STR_INIT("csiso58gb231280"), GB18030 },
    { YB_STR_INIT("csiso88596e"), ISO_8859_6 }, { YB_STR_INIT("csiso88596i"), ISO_8859_6 },
    { YB_STR_INIT("csiso88598e"), ISO_8859_8 }, { YB_STR_INIT("csiso88598i"), ISO_8859_8 },
    { YB_STR_INIT("csisolatin1"), CP1252 }, { YB_STR_INIT("csisolatin2"), ISO_8859_2 },
    { YB_STR_INIT("csisolatin3"), ISO_8859_3 }, { YB_STR_INIT("csisolatin4"), ISO_8859_4 },
    { YB_STR_INIT("csisolatin5"), CP1254 }, { YB_STR_INIT("csisolatin6"), ISO_8859_10 },
    { YB_STR_INIT("csisolatin9"), ISO_8859_15 }, { YB_STR_INIT("csisolatinarabic"), ISO_8859_6 },
    { YB_STR_INIT("csisolatincyrillic"), ISO_8859_5 }, { YB_STR_INIT("csisolatingreek"), ISO_8859_7 },
    { YB_STR_INIT("csisolatinhebrew"), ISO_8859_8 }, { YB_STR_INIT("csjisencoding"), JIS },
    { YB_STR_INIT("cskoi8r"), KOI8_R }, { YB_STR_INIT("csksc56011987"), UHC },
    { YB_STR_INIT("csmacintosh"), MACINTOSH }, { YB_STR_INIT("cspc850multilingual"), CP850 },
    { YB_STR_INIT("cspc8codepage437"), CP437 }, { YB_STR_INIT("cspcp852"), CP852 },
    { YB_STR_INIT("csshiftjis"), CP932 }, { YB_STR_INIT("csunicode"), UTF_16 }, { YB_STR_INIT("csviscii"), VISCII },
    { YB_STR_INIT("cswindows31j"), CP932 }, { YB_STR_INIT("cyrillic"), ISO_8859_5 }, { YB_STR_INIT("dos-874"), CP874 },
    { YB_STR_INIT("ecma-114"), ISO_8859_6 }, { YB_STR_INIT("ecma-118"), ISO_8859_7 },
    { YB_STR_INIT("elot_928"), ISO_8859_7 }, { YB_STR_INIT("euc-cn"), GB18030 }, { YB_STR_INIT("euc-jp"), EUC_JP },
    { YB_STR_INIT("euc-jp-ms"), EUC_JP }, { YB_STR_INIT("euc-kr"), UHC }, { YB_STR_INIT("euc_jp"), EUC_JP },
    { YB_STR_INIT("euccn"), GB18030 }, { YB_STR_INIT("eucjp"), EUC_JP }, { YB_STR_INIT("eucjp-ms"), EUC_JP },
    { YB_STR_INIT("eucjp-open"), EUC_JP }, { YB_STR_INIT("eucjp-win"), EUC_JP }, { YB_STR_INIT("eucjpms"), EUC_JP },
    { YB_STR_INIT("euckr"), UHC }, { YB_STR_INIT("gb18030"), GB18030 }, { YB_STR_INIT("gb2312"), GB18030 },
    { YB_STR_INIT("gb2312-80"), GB18030 }, { YB_STR_INIT("gb_2312"), GB18030 }, { YB_STR_INIT("gb_2312-80"), GB18030 },
    { YB_STR_INIT("gbk"), GB18030 }, { YB_STR_INIT("greek"), ISO_8859_7 }, { YB_STR_INIT("greek8"), ISO_8859_7 },
    { YB_STR_INIT("hebrew"), ISO_8859_8 }, { YB_STR_INIT("ibm-932"), CP932 }, { YB_STR_INIT("ibm-943"), CP932 },
    { YB_STR_INIT("ibm367"), UNNAMED }, { YB_STR_INIT("ibm437"), CP437 }, { YB_STR_INIT("ibm819"), CP1252 },
    { YB_STR_INIT("ibm850"), CP850 }, { YB_STR_INIT("ibm852"), CP852 }, { YB_STR_INIT("ibm866"), IBM866 },
    { YB_STR_INIT("ibm932"), CP932 }, { YB_STR_INIT("ibm943"), CP932 }, { YB_STR_INIT("iso-10646-ucs-2"), UTF_16 },
   
    { YB_STR_INIT("iso-2022-jp"), JIS }, { YB_STR_INIT("iso-2022-jp-1"), JIS },
    { YB_STR_INIT("iso-2022-jp-2"), ISO_2022_JP_2 }, { YB_STR_INIT("iso-2022-jp-2004"), JIS },
    { YB_STR_INIT("iso-2022-jp-3"), JIS }, { YB_STR_INIT("iso-2022-jp-ms"), JIS },
    { YB_STR_INIT("iso-2022-kr"), ISO_2022_KR }, { YB_STR_INIT("iso-2022jp"), JIS },
    { YB_STR_INIT("iso-8859-1"), CP1252 }, { YB_STR_INIT("iso-8859-10"), ISO_8859_10 },
    { YB_STR_INIT("iso-8859-11"), CP874 }, { YB_STR_INIT("iso-8859-13"), ISO_8859_13 },
    { YB_STR_INIT("iso-8859-14"), ISO_8859_14 }, { YB_STR_INIT("iso-8859-15"), ISO_8859_15 },
    { YB_STR_INIT("iso-8859-16"), ISO_8859_16 }, { YB_STR_INIT("iso-8859-2"), ISO_8859_2 },
    { YB_STR_INIT("iso-8859-3"), ISO_8859_3 }, { YB_STR_INIT("iso-8859-4"), ISO_8859_4 },
    { YB_STR_INIT("iso-8859-5"), ISO_8859_5 }, { YB_STR_INIT("iso-8859-6"), ISO_8859_6 },
    { YB_STR_INIT("iso-8859-6-e"), ISO_8859_6 }, { YB_STR_INIT("iso-8859-6-i"), ISO_8859_6 },
    { YB_STR_INIT("iso-8859-7"), ISO_8859_7 }, { YB_STR_INIT("iso-8859-8"), ISO_8859_8 },
    { YB_STR_INIT("iso-8859-8-e"), ISO_8859_8 }, { YB_STR_INIT("iso-8859-8-i"), ISO_8859_8 },
    { YB_STR_INIT("iso-8859-9"), CP1254 }, { YB_STR_INIT("iso-ir-100"), CP1252 },
    { YB_STR_INIT("iso-ir-101"), ISO_8859_2 }, { YB_STR_INIT("iso-ir-109"), ISO_8859_3 },
    { YB_STR_INIT("iso-ir-110"), ISO_8859_4 }, { YB_STR_INIT("iso-ir-126"), ISO_8859_7 },
    { YB_STR_INIT("iso-ir-127"), ISO_8859_6 }, { YB_STR_INIT("iso-ir-138"), ISO_8859_8 },
    { YB_STR_INIT("iso-ir-144"), ISO_8859_5 }, { YB_STR_INIT("iso-ir-148"), CP1254 },
    { YB_STR_INIT("iso-ir-149"), UHC }, { YB_STR_INIT("iso-ir-157"), ISO_8859_10 },
    { YB_STR_INIT("iso-ir-58"), GB18030 }, { YB_STR_INIT("iso-ir-6"), UNNAMED }, { YB_STR_INIT("iso2022-jp"), JIS },
    { YB_STR_INIT("iso2022jp"), JIS }, { YB_STR_INIT("iso2022jp2"), ISO_2022_JP_2 },
    { YB_STR_INIT("iso2022jpms"), JIS }, { YB_STR_INIT("iso646-us"), UNNAMED }, { YB_STR_INIT("iso8859-1"), CP1252 },
    { YB_STR_INIT("iso8859-10"), ISO_8859_10 }, { YB_STR_INIT("iso8859-11"), CP874 },
    { YB_STR_INIT("iso8859-13"), ISO_8859_13 }, { YB_STR_INIT("iso8859-14"), ISO_8859_14 },
    { YB_STR_INIT("iso8859-15"), ISO_8859_15 }, { YB_STR_INIT("iso8859-2"), ISO_8859_2 },
    { YB_STR_INIT("iso8859-3"), ISO_8859_3 }, { YB_STR_INIT("iso8859-4"), ISO_8859_4 },
    { YB_STR_INIT("iso8859-5"), ISO_8859_5 }, { YB_STR_INIT("iso8859-6"), ISO_8859_6 },
    { YB_STR_INIT("iso8859-7"), ISO_8859_7 }, { YB_STR_INIT("iso8859-8"), ISO_8859_8 },
    { YB_STR_INIT("iso8859-9"), CP1254 }, { YB_STR_INIT("iso88591"), CP1252 },
    { YB_STR_INIT("iso885910"), ISO_8859_10 }, { YB_STR_INIT("iso885911"), CP874 },
    { YB_STR_INIT("iso885913"), ISO_8859_13 }, { YB_STR_INIT("iso885914"), ISO_8859_14 },
    { YB_STR_INIT("iso885915"), ISO_8859_15 }, { YB_STR_INIT("iso88592"), ISO_8859_2 },
    { YB_STR_INIT("iso88593"), ISO_8859_3 }, { YB_STR_INIT("iso88594"), ISO_8859_4 },
    { YB_STR_INIT("iso88595"), ISO_8859_5 }, { YB_STR_INIT("iso88596"), ISO_8859_6 },
    { YB_STR_INIT("iso88597"), ISO_8859_7 }, { YB_STR_INIT("iso88598"), ISO_8859_8 },
    { YB_STR_INIT("iso88599"), CP1254 }, { YB_STR_INIT("iso_2022_jp"), JIS },
    { YB_STR_INIT("iso_646.irv:1991"), UNNAMED }, { YB_STR_INIT("iso_8859-1"), CP1252 },
    { YB_STR_INIT("iso_8859-15"), ISO_8859_15 }, { YB_STR_INIT("iso_8859-1:1987"), CP1252 },
    { YB_STR_INIT("iso_8859-2"), ISO_8859_2 }, { YB_STR_INIT("iso_8859-2:1987"), ISO_8859_2 },
    { YB_STR_INIT("iso_8859-3"), ISO_8859_3 }, { YB_STR_INIT("iso_8859-3:1988"), ISO_8859_3 },
    { YB_STR_INIT("iso_8859-4"), ISO_8859_4 }, { YB_STR_INIT("iso_8859-4:1988"), ISO_8859_4 },
    { YB_STR_INIT("iso_8859-5"), ISO_8859_5 }, { YB_STR_INIT("iso_8859-5:1988"), ISO_8859_5 },
    { YB_STR_INIT("iso_8859-6"), ISO_8859_6 }, { YB_STR_INIT("iso_8859-6:1987"), ISO_8859_6 },
    { YB_STR_INIT("iso_8859-7"), ISO_8859_7 }, { YB_STR_INIT("iso_8859-7:1987"), ISO_8859_7 },
    { YB_STR_INIT("iso_8859-8"), ISO_8859_8 }, { YB_STR_INIT("iso_8859-8:1988"), ISO_8859_8 },
    { YB_STR_INIT("iso_8859-9"), CP1254 }, { YB_STR_INIT("iso_8859-9:1989"), CP1254 }, { YB_STR_INIT("jis"), JIS },
    { YB_STR_INIT("jis7"), JIS }, { YB_STR_INIT("jis8"), JIS }, { YB_STR_INIT("jis_encoding"), JIS },
    { YB_STR_INIT("koi"), KOI8_R }, { YB_STR_INIT("koi8"), KOI8_R }, { YB_STR_INIT("koi8-r"), KOI8_R },
    { YB_STR_INIT("koi8-ru"), KOI8_U }, { YB_STR_INIT("koi8-u"), KOI8_U }, { YB_STR_INIT("koi8_r"), KOI8_R },
    { YB_STR_INIT("korean"), UHC }, { YB_STR_INIT("ks_c_5601-1987"), UHC }, { YB_STR_INIT("ks_c_5601-1989"), UHC },
    { YB_STR_INIT("ksc5601"), UHC }, { YB_STR_INIT("ksc_5601"), UHC }, { YB_STR_INIT("l1"), CP1252 },
    { YB_STR_INIT("l2"), ISO_8859_2 }, { YB_STR_INIT("l3"), ISO_8859_3 }, { YB_STR_INIT("l4"), ISO_8859_4 },
    { YB_STR_INIT("l5"), CP1254 }, { YB_STR_INIT("l6"), ISO_8859_10 }, { YB_STR_INIT("l9"), ISO_8859_15 },
    { YB_STR_INIT("latin1"), CP1252 }, { YB_STR_INIT("latin2"), ISO_8859_2 }, { YB_STR_INIT("latin3"), ISO_8859_3 },
    { YB_STR_INIT("latin4"), ISO_8859_4 }, { YB_STR_INIT("latin5"), CP1254 }, { YB_STR_INIT("latin6"), ISO_8859_10 },
    { YB_STR_INIT("logical"), ISO_8859_8 }, { YB_STR_INIT("mac"), MACINTOSH }, { YB_STR_INIT("macintosh"), MACINTOSH },
    { YB_STR_INIT("ms932"), CP932 }, { YB_STR_INIT("ms936"), GB18030 }, { YB_STR_INIT("ms949"), UHC },
    { YB_STR_INIT("ms_kanji"), CP932 }, { YB_STR_INIT("mskanji"), CP932 }, { YB_STR_INIT("shift-jis"), CP932 },
    { YB_STR_INIT("shift_jis"), CP932 }, { YB_STR_INIT("shift_jis-ms"), CP932 }, { YB_STR_INIT("shiftjis"), CP932 },
    { YB_STR_INIT("sjis"), CP932 }, { YB_STR_INIT("sjis-open"), CP932 }, { YB_STR_INIT("sjis-win"), CP932 },
    { YB_STR_INIT("sun_eu_greek"), ISO_8859_7 }, { YB_STR_INIT("tis-620"), CP874 }, { YB_STR_INIT("tis620"), CP874 },
    { YB_STR_INIT("ucs-2"), UTF_16 }, { YB_STR_INIT("uhc"), UHC }, { YB_STR_INIT("ujis"), EUC_JP },
    { YB_STR_INIT("unicode"), UTF_16 }, { YB_STR_INIT("unicode-1-1-utf-8"), UTF_8 },
    { YB_STR_INIT("unicode-2-0-utf-8"), UTF_8 }, { YB_STR_INIT("unicode11utf8"), UTF_8 },
    { YB_STR_INIT("unicode20utf8"), UTF_8 }, { YB_STR_INIT("unicodefeff"), UTF_16LE },
    { YB_STR_INIT("unicodefffe"), UTF_16BE }, { YB_STR_INIT("unknown-8bit"), UNNAMED },
    { YB_STR_INIT("us-ascii"), UNNAMED }, { YB_STR_INIT("utf-16"), UTF_16 }, { YB_STR_INIT("utf-16be"), UTF_16BE },
    { YB_STR_INIT("utf-16le"), UTF_16LE }, { YB_STR_INIT("utf-8"), UTF_8 }, { YB_STR_INIT("utf8"), UTF_8 },
    { YB_STR_INIT("viscii"), VISCII }, { YB_STR_INIT("visual"), ISO_8859_8 }, { YB_STR_INIT("windows-1250"), CP1250 },
    { YB_STR_INIT("windows-1251"), CP1251 }, { YB_STR_INIT("windows-1252"), CP1252 },
    { YB_STR_INIT("windows-1253"), CP1253 }, { YB_STR_INIT("windows-1254"), CP1254 },
    { YB_STR_INIT("windows-1255"), CP1255 }, { YB_STR_INIT("windows-1256"), CP1256 },
    { YB_STR_INIT("windows-1257"), CP1257 }, { YB_STR_INIT("windows-1258"), CP1258 },
    { YB_STR_INIT("windows-31j"), CP932 }, { YB_STR_INIT("windows-50220"), JIS },
    { YB_STR_INIT("windows-50221"), JIS }, { YB_STR_INIT("windows-50222"), JIS },
    { YB_STR_INIT("windows-874"), CP874 }, { YB_STR_INIT("windows-932"), CP932 },
    { YB_STR_INIT("windows-936"), GB18030 }, { YB_STR_INIT("windows-949"), UHC }, { YB_STR_INIT("windows-950"), BIG5 },
    { YB_STR_INIT("windows31j"), CP932 }, { YB_STR_INIT("x-big5"), BIG5 }, { YB_STR_INIT("x-cp1250"), CP1250 },
    { YB_STR_INIT("x-cp1251"), CP1251 }, { YB_STR_INIT("x-cp1252"), CP1252 }, { YB_STR_INIT("x-cp1253"), CP1253 },
    { YB_STR_INIT("x-cp1254"), CP1254 }, { YB_STR_INIT("x-cp1255"), CP1255 }, { YB_STR_INIT("x-cp1256"), CP1256 },
    { YB_STR_INIT("x-cp1257"), CP1257 }, { YB_STR_INIT("x-cp1258"), CP1258 }, { YB_STR_INIT("x-cp866"), IBM866 },
    { YB_STR_INIT("x-euc"), EUC_JP }, { YB_STR_INIT("x-euc-cn"), GB18030 }, { YB_STR_INIT("x-euc-jp"), EUC_JP },
    { YB_STR_INIT("x-euc-kr"), UHC }, { YB_STR_INIT("x-eucjp"), EUC_JP }, { YB_STR_INIT("x-eucjp-ms"), EUC_JP },
    { YB_STR_INIT("x-gb2312"), GB18030 }, { YB_STR_INIT("x-gbk"), GB18030 }, { YB_STR_INIT("x-jis"), JIS },
    { YB_STR_INIT("x-mac-cyrillic"), MAC_CYRILLIC }, { YB_STR_INIT("x-mac-roman"), MACINTOSH },
    { YB_STR_INIT("x-mac-ukrainian"), MAC_CYRILLIC }, { YB_STR_INIT("x-ms-cp932"), CP932 },
    { YB_STR_INIT("x-shift-jis"), CP932 }, { YB_STR_INIT("x-shift_jis"), CP932 }, { YB_STR_INIT("x-shiftjis"), CP932 },
    { YB_STR_INIT("x-sjis"), CP932 }, { YB_STR_INIT("x-unicode-2-0-utf-8"), UTF_8 },
    { YB_STR_INIT("x-unicode20utf8"), UTF_8 }, { YB_STR_INIT("x-windows-1250"), CP1250 },
    { YB_STR_INIT("x-windows-50220"), JIS }, { YB_STR_INIT("x-windows-50221"), JIS },
    { YB_STR_INIT("x-windows-874"), CP874 }, { YB_STR_INIT("x-windows-949"), UHC },
    { YB_STR_INIT("x-windows-iso2022jp"), JIS }, { YB_STR_INIT("x-x-big5"), BIG5 },
};
/* clang-format on */

const struct yb_charset_kind *
yb_charset_kind_of(struct yb_str label)
{
    char folded[LONGEST];
    size_t from = 0, to = YB_COUNT(labels);

    label = yb_str_trim(label);
    if (label.n == 0)
        return &kinds[UNNAMED];
    if (label.n > sizeof(folded))
        return NULL;
    yb_lower_bytes(folded, label.p, label.n);
    label = yb_str(folded, label.n);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = yb_str_cmp(label, labels[middle].label);

        if (order == 0)
            return &kinds[labels[middle].encoding];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}
