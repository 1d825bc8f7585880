#include "node/casework/province.h"

const struct province PROVINCES[PROVINCE_COUNT] = {
    { "markazi", "IR-00", 0, "مرکزی", "Markazi", "086", 1429475 },
    { "gilan", "IR-01", 1, "گیلان", "Gilan", "013", 2530696 },
    { "mazandaran", "IR-02", 2, "مازندران", "Mazandaran", "011", 3283582 },
    { "east-azerbaijan", "IR-03", 3, "آذربایجان شرقی", "East Azerbaijan", "041", 3909652 },
    { "west-azerbaijan", "IR-04", 4, "آذربایجان غربی", "West Azerbaijan", "044", 3265219 },
    { "kermanshah", "IR-05", 5, "کرمانشاه", "Kermanshah", "083", 1952434 },
    { "khuzestan", "IR-06", 6, "خوزستان", "Khuzestan", "061", 4710509 },
    { "fars", "IR-07", 7, "فارس", "Fars", "071", 4851274 },
    { "kerman", "IR-08", 8, "کرمان", "Kerman", "034", 3164718 },
    { "razavi-khorasan", "IR-09", 9, "خراسان رضوی", "Razavi Khorasan", "051", 6434501 },
    { "isfahan", "IR-10", 10, "اصفهان", "Isfahan", "031", 5120850 },
    { "sistan-baluchestan", "IR-11", 11, "سیستان و بلوچستان", "Sistan-Baluchestan", "054",
      2775014 },
    { "kurdistan", "IR-12", 12, "کردستان", "Kurdistan", "087", 1603011 },
    { "hamadan", "IR-13", 13, "همدان", "Hamadan", "081", 1738234 },
    { "chaharmahal-bakhtiari", "IR-14", 14, "چهارمحال و بختیاری", "Chaharmahal-Bakhtiari", "038",
      947763 },
    { "lorestan", "IR-15", 15, "لرستان", "Lorestan", "066", 1760649 },
    { "ilam", "IR-16", 16, "ایلام", "Ilam", "084", 580158 },
    { "kohgiluyeh-boyerahmad", "IR-17", 17, "کهگیلویه و بویراحمد", "Kohgiluyeh-Boyerahmad", "074",
      713052 },
    { "bushehr", "IR-18", 18, "بوشهر", "Bushehr", "077", 1163400 },
    { "zanjan", "IR-19", 19, "زنجان", "Zanjan", "024", 1057461 },
    { "semnan", "IR-20", 20, "سمنان", "Semnan", "023", 702360 },
    { "yazd", "IR-21", 21, "یزد", "Yazd", "035", 1138533 },
    { "hormozgan", "IR-22", 22, "هرمزگان", "Hormozgan", "076", 1776415 },
    { "tehran", "IR-23", 23, "تهران", "Tehran", "021", 13267637 },
    { "ardabil", "IR-24", 24, "اردبیل", "Ardabil", "045", 1270420 },
    { "qom", "IR-25", 25, "قم", "Qom", "025", 1292283 },
    { "qazvin", "IR-26", 26, "قزوین", "Qazvin", "028", 1273761 },
    { "golestan", "IR-27", 27, "گلستان", "Golestan", "017", 1868819 },
    { "north-khorasan", "IR-28", 28, "خراسان شمالی", "North Khorasan", "058", 863092 },
    { "south-khorasan", "IR-29", 29, "خراسان جنوبی", "South Khorasan", "056", 768898 },
    { "alborz", "IR-30", 30, "البرز", "Alborz", "026", 2712400 },
};

const struct province *province_by_number(unsigned number)
{
    return number < PROVINCE_COUNT ? &PROVINCES[number] : NULL;
}

const struct province *province_by_node(struct bytes node)
{
    for (size_t i = 0; i < PROVINCE_COUNT; i++)
        if (bytes_equal(node, bytes_of_string(PROVINCES[i].node)))
            return &PROVINCES[i];
    return NULL;
}

const struct province *province_by_iso(struct bytes iso)
{
    for (size_t i = 0; i < PROVINCE_COUNT; i++)
        if (bytes_equal(iso, bytes_of_string(PROVINCES[i].iso)))
            return &PROVINCES[i];
    return NULL;
}

const struct province *province_by_area_code(struct bytes area_code)
{
    for (size_t i = 0; i < PROVINCE_COUNT; i++)
        if (bytes_equal(area_code, bytes_of_string(PROVINCES[i].area_code)))
            return &PROVINCES[i];
    return NULL;
}
