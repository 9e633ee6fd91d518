"""Made-up personal data: names, 18-digit identity numbers, phones and addresses.

All of it is drawn at random; check digits follow GB 11643 (persons) and GB 32100 (companies).
"""

from __future__ import annotations

import numpy as np

from creditops.simulate.world.arrays import Bools, Ints
from creditops.simulate.world.population import REGIONS

_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
)
_GIVEN_MALE = "伟强磊军洋勇杰涛明超辉刚健鹏志建国文斌浩宇轩博然泽子涵俊峰晨阳嘉豪"
_GIVEN_FEMALE = "芳娜敏静丽艳娟霞秀玲桂英梅慧莹雪琳颖倩婷欣怡梦瑶佳雨诗涵思彤语嫣"
_CITY = {
    "110000": ("北京市", ("海淀区", "朝阳区", "丰台区")),
    "310000": ("上海市", ("浦东新区", "徐汇区", "闵行区")),
    "440000": ("广东省广州市", ("天河区", "越秀区", "番禺区")),
    "320000": ("江苏省南京市", ("鼓楼区", "江宁区", "栖霞区")),
    "330000": ("浙江省杭州市", ("西湖区", "滨江区", "余杭区")),
    "370000": ("山东省济南市", ("历下区", "市中区", "槐荫区")),
    "510000": ("四川省成都市", ("武侯区", "锦江区", "青羊区")),
    "420000": ("湖北省武汉市", ("江汉区", "武昌区", "洪山区")),
    "410000": ("河南省郑州市", ("金水区", "中原区", "二七区")),
    "610000": ("陕西省西安市", ("雁塔区", "碑林区", "未央区")),
}
_ROADS = ("人民路", "解放路", "中山路", "建设路", "和平路", "文化路", "新华路", "长江路", "学院路", "滨河路")
_BRANDS = ("华", "盛", "泰", "鑫", "恒", "瑞", "信", "宏", "嘉", "博", "远", "达", "诚", "隆", "兴", "德")
_TRADES = ("制造", "商贸", "建设工程", "物流", "信息技术", "置业", "农业发展", "餐饮管理")
_PHONE_HEADS = np.array([130, 131, 135, 136, 138, 139, 150, 152, 158, 176, 180, 186, 188, 199])
_PERSON_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_PERSON_CHECK = np.array(list("10X98765432"))
_COMPANY_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_COMPANY_WEIGHTS = np.array([1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28])


def person_names(rng: np.random.Generator, female: Bools) -> list[str]:
    """Chinese names of two or three characters."""
    surname = np.array(list(_SURNAMES))[rng.integers(0, len(_SURNAMES), female.size)]
    drawn = rng.random((2, female.size))
    male, lady = np.array(list(_GIVEN_MALE)), np.array(list(_GIVEN_FEMALE))
    given = [
        np.where(female, lady[(d * lady.size).astype(np.int64)], male[(d * male.size).astype(np.int64)])
        for d in drawn
    ]
    single = rng.random(female.size) < 0.25
    second = np.where(single, "", given[1])
    return [a + b + c for a, b, c in zip(surname.tolist(), given[0].tolist(), second.tolist(), strict=True)]


def company_names(rng: np.random.Generator, region: Ints, industry: Ints) -> list[str]:
    """Registered company names: city, brand, trade, legal form."""
    brand = rng.integers(0, len(_BRANDS), (region.size, 2)).tolist()
    place = [_CITY[code][0][-3:-1] for code in REGIONS]
    return [
        f"{place[r]}{_BRANDS[a]}{_BRANDS[b]}{_TRADES[i]}有限公司"
        for r, i, (a, b) in zip(region.tolist(), industry.tolist(), brand, strict=True)
    ]


def person_ids(rng: np.random.Generator, region: Ints, birth_day: Ints, female: Bools) -> list[str]:
    """18-character resident identity numbers that fit region, birth date and sex."""
    n = region.size
    area = np.array([int(code) for code in REGIONS])[region] + 101 + rng.integers(0, 6, n)
    birth = birth_day.astype("datetime64[D]")
    year = birth.astype("datetime64[Y]").astype(np.int64) + 1970
    month = birth.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (birth - birth.astype("datetime64[M]")).astype(np.int64) + 1
    order = rng.integers(0, 499, n) * 2 + ~female
    body = (area * 10**8 + year * 10_000 + month * 100 + day) * 1000 + order
    digits = body[:, None] // 10 ** np.arange(16, -1, -1) % 10
    check = _PERSON_CHECK[(digits * _PERSON_WEIGHTS).sum(axis=1) % 11]
    return [f"{b}{c}" for b, c in zip(body.tolist(), check.tolist(), strict=True)]


def company_ids(rng: np.random.Generator, region: Ints) -> list[str]:
    """18-character unified social credit codes."""
    n = region.size
    codes = np.empty((n, 17), dtype=np.int64)
    codes[:, 0], codes[:, 1] = 9, 1
    area = np.array([int(code) for code in REGIONS])[region] + 101
    codes[:, 2:8] = area[:, None] // 10 ** np.arange(5, -1, -1) % 10
    codes[:, 8:] = rng.integers(0, len(_COMPANY_ALPHABET), (n, 9))
    check = (31 - (codes * _COMPANY_WEIGHTS).sum(axis=1) % 31) % 31
    letters = np.array(list(_COMPANY_ALPHABET))[np.column_stack([codes, check])]
    return ["".join(row) for row in letters.tolist()]


def phones(rng: np.random.Generator, n: int) -> list[str]:
    """11-digit mobile numbers."""
    head = _PHONE_HEADS[rng.integers(0, _PHONE_HEADS.size, n)]
    return [str(number) for number in (head * 10**8 + rng.integers(0, 10**8, n)).tolist()]


def addresses(rng: np.random.Generator, region: Ints) -> list[str]:
    """Street addresses in the main city of each region."""
    places = [_CITY[code] for code in REGIONS]
    draws = np.column_stack(
        [
            region,
            rng.integers(0, 3, region.size),
            rng.integers(0, len(_ROADS), region.size),
            rng.integers(1, 400, region.size),
            rng.integers(101, 2800, region.size),
        ]
    )
    return [
        f"{places[r][0]}{places[r][1][d]}{_ROADS[road]}{number}号{room}室"
        for r, d, road, number, room in draws.tolist()
    ]
