"""The rules whose sentences a person has read, one by one, in three languages.

Their sentences stand in ``sentences.txt``. Plain forms, as `describe` takes them.
"""

from __future__ import annotations

_CRON = """
* * * * *|*/5 * * * *|*/30 * * * *|0,30 * * * *|*/7 * * * *|3/10 * * * *|0-10 * * * *|5 * * * *
5,35 * * * *|0,1,2,30,45 * * * *|0 * * * *|0 9 * * *|0 8,18 * * *|15 8,12,18 * * *|0,30 9,10 * * *
0 9-17 * * *|5 9-17 * * MON-FRI|0 */2 * * *|15 1-23/2 * * *|15,45 */2 * * *|0 0-5,20-23 * * *
0 0-3,5-12,14,16 * * *|*/5 9-17 * * 1-5|*/5 9 * * *|* 9 * * *|*/15 8-11,14-17 * * *
*/5 0,2,4,6,8,10 * * *|0-29 9 * * *|0-29 9,14 * * *|5-25/5 9 * * *|*/7 9-17 * * *
3,7,20 9-17 * * *|0-10 0,2,4,6,8 * * *|0 8 * * MON,FRI|0 9 * * 1-5|0 22 * * SAT,SUN
0 9 * * 2-4|0 9 * * SUN,TUE,THU|0 0 * * 0|*/5 * * * 1|0 0 1 * *|0 0 1,15 * *|0 9 1-7 * *
0 9 */2 * *|0 9 5,10,20 * *|0 0 L * *|0 0 L-1 * *|0 0 L-3 * *|0 9 1,15,L * *|0 0 15W * *
0 0 LW * *|0 9 * * 5L|0 9 * * MON#1|0 9 * 3,6 MON#1,FRI#3|0 6 * * 1,4#2|0 9 1 * 1|0 9 13 * FRI
0 9 1,15 6 MON-WED|0 9 */2 * MON|0 9 */2 * 5L|*/5 * 1 * 1|0 0 1 1 *|0 0 1 1,7 *|0 9 1 */3 *
0 0 29 2 *|0 0 1,2 2 *|0 0 L 2 *|0 9 * 1 *|0 9 * 1,2,12 MON|*/5 * * 1 *|*/5 9-17 * 6-8 *
30 0 9 * * *|30 */5 * * * *|5,35 * * * * *|*/10 * * * * *|* * * * * *|0,30 * * * * *
*/10 * 9-17 * * MON-FRI|* 0 9 * * *|*/10 */7 * * * *|*/10 */7 9-17 * * *|3/20 * * * * *
0,1,2 30 4 * * *|15 0 * * * *|0 0 9 1 1 ? 2030|0 0 9 1 1 ? 2030-2035|0 0 9 1 * ? 2030
0 0 9 ? * MON 2031,2033|0 0 9 1,15 6 ? 2040/2|@daily|@hourly|@weekly|@monthly|@yearly|@reboot
@every 5m|@every 1h30m|@every 25h|H H * * *|H/15 * * * *|H H(9-16) * * MON-FRI|~ 3 * * *
"""

_OTHERS: list[dict[str, object]] = [
    {"type": "interval", "seconds": 1},
    {"type": "interval", "seconds": 30},
    {"type": "interval", "seconds": 0.5},
    {"type": "interval", "minutes": 1},
    {"type": "interval", "hours": 1, "minutes": 30},
    {"type": "interval", "hours": 1},
    {"type": "interval", "days": 1},
    {"type": "interval", "days": 2},
    {"type": "interval", "seconds": 3661},
    {"type": "interval", "minutes": 5, "kind": "fixed_delay"},
    {"type": "interval", "hours": 6, "anchor": "06:30"},
    {"type": "interval", "minutes": 5, "anchor": "epoch"},
    {"type": "interval", "minutes": 10, "start_at": "2030-01-31T09:00:00+09:00"},
    {"type": "interval", "minutes": 10, "end_at": "2030-01-31T09:00:30+00:00"},
    {"type": "once", "run_at": "2030-01-31T09:00:00+09:00"},
    {"type": "once", "run_at": "2030-01-31T00:00:00+00:00", "timezone": "Asia/Shanghai"},
    {"type": "once", "run_at": ["2030-01-31T09:00:00", "2030-02-01T09:00:00"]},
    {"type": "once", "run_at": [f"2030-01-0{day}T09:00:00" for day in range(1, 8)]},
    {"type": "daily", "daily": "08:00"},
    {"type": "daily", "daily": "08:00,20:30"},
    {"type": "daily", "daily": "08:00:00,20:30:15"},
    {"type": "daily", "daily": "01:00,02:00,03:00,04:00,05:00,06:00,07:00"},
    {"type": "weekly", "weekly": "mon,fri 08:00"},
    {"type": "weekly", "weekly": "mon-sun 08:00"},
    {"type": "monthly", "monthly": "1,15,last 08:00,18:00"},
    {"type": "cron", "cron": "0 9 13 * FRI", "day_and": True},
    {"type": "cron", "cron": "0 9 1-7 * MON,TUE", "day_and": True},
    {"type": "cron", "cron": "0 9 1-7 * MON,TUE,WED", "day_and": True},
    {"type": "cron", "cron": "0 3 * * *", "timezone": "Asia/Tokyo"},
    {"type": "cron", "cron": "0 3 * * *", "gap": "skip", "fold": "twice"},
    {"type": "cron", "cron": "*/5 * * * *", "gap": "run_after", "fold": "once"},
    {"type": "cron", "cron": "0 3 * * *", "max_runs": 1},
    {"type": "cron", "cron": "0 3 * * *", "max_runs": 10, "jitter_seconds": 90},
    {"type": "cron", "cron": "15 3 * * *", "exclude": ["japan"], "roll": "next"},
    {"type": "cron", "cron": "15 3 * * *", "exclude": ["china", "weekends"], "roll": "previous"},
    {"type": "cron", "cron": "15 3 * * *", "exclude": ["holidays:DE-BY", "maintenance"]},
    {"type": "cron", "cron": "*/5 * * * *", "include": ["office hours"]},
    {"type": "on_calendar", "on_calendar": "Mon..Fri 08:00"},
    {"type": "on_calendar", "on_calendar": "*:0/15"},
    {"type": "on_calendar", "on_calendar": "weekly"},
    {"type": "on_calendar", "on_calendar": "quarterly"},
    {"type": "on_calendar", "on_calendar": "*-*~03 08:00 Asia/Tokyo"},
    {"type": "on_calendar", "on_calendar": "Mon *-05~07/1"},
    {"type": "on_calendar", "on_calendar": "Fri *-*-13 00:00", "timezone": "UTC"},
    {"type": "on_calendar", "on_calendar": "2030-01-31 08:00"},
    {"type": "on_calendar", "on_calendar": "*-*-* *:*:0/20"},
    {"type": "solar", "solar": "sunrise", "latitude": 35.68, "longitude": 139.69},
    {
        "type": "solar",
        "solar": "sunset",
        "latitude": -33.9,
        "longitude": -70.6,
        "offset_seconds": -1800,
        "timezone": "America/Santiago",
    },
    {
        "type": "solar",
        "solar": "sunrise",
        "latitude": 31.2,
        "longitude": 121.5,
        "offset_seconds": 5400,
    },
    {
        "type": "any_of",
        "rules": [
            {"type": "daily", "daily": "08:00"},
            {"type": "weekly", "weekly": "sat 10:00"},
        ],
    },
    {
        "type": "all_of",
        "rules": [
            {"type": "cron", "cron": "*/5 * * * *"},
            {"type": "cron", "cron": "* 9-17 * * 1-5"},
        ],
    },
]

_START = "DTSTART:20300101T080000"
_RECURRENCES = """
FREQ=DAILY|FREQ=DAILY;INTERVAL=3|FREQ=DAILY;COUNT=10|FREQ=DAILY;UNTIL=20300201T000000
FREQ=DAILY;BYMONTH=1;BYHOUR=9,17|FREQ=WEEKLY|FREQ=WEEKLY;BYDAY=MO,FR
FREQ=WEEKLY;BYDAY=MO,FR;INTERVAL=2|FREQ=WEEKLY;INTERVAL=2;BYMONTH=1|FREQ=MONTHLY
FREQ=MONTHLY;BYDAY=1MO,-1FR|FREQ=MONTHLY;BYDAY=-2TU|FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1,-1
FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR|FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1
FREQ=YEARLY|FREQ=YEARLY;INTERVAL=2|FREQ=YEARLY;BYDAY=20MO|FREQ=YEARLY;BYMONTH=11;BYDAY=4TH
FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=MO|FREQ=YEARLY;BYYEARDAY=1,100,-1|FREQ=HOURLY
FREQ=YEARLY;BYDAY=MO,1TU|FREQ=YEARLY;BYMONTHDAY=4;BYDAY=1MO;INTERVAL=2
FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=6;BYDAY=2TH|FREQ=YEARLY;INTERVAL=3;BYDAY=-1SU
FREQ=HOURLY;INTERVAL=6|FREQ=HOURLY;BYMINUTE=0,30|FREQ=MINUTELY;INTERVAL=15;BYHOUR=9,10,11
FREQ=MINUTELY;INTERVAL=90;BYDAY=MO;BYMONTH=1|FREQ=SECONDLY;INTERVAL=10
"""


def rules() -> list[dict[str, object]]:
    """Return every rule in its plain form."""
    found: list[dict[str, object]] = [
        {"type": "cron", "cron": cron}
        for line in _CRON.split("\n")
        if line
        for cron in line.split("|")
    ]
    recurrences = [
        f"{_START}\nRRULE:{rule}"
        for line in _RECURRENCES.split("\n")
        if line
        for rule in line.split("|")
    ]
    recurrences += [
        f"{_START}\nRRULE:FREQ=DAILY\nEXDATE:20300105T080000",
        f"{_START}\nRDATE:20300105T080000,20300106T080000",
        f"{_START}\nRRULE:FREQ=WEEKLY\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1",
        "DTSTART;TZID=America/New_York:20300101T080000\nRRULE:FREQ=WEEKLY;BYDAY=TU",
        "DTSTART;VALUE=DATE:20300101\nRRULE:FREQ=DAILY;UNTIL=20300201",
    ]
    return [*found, *_OTHERS, *({"type": "rrule", "rrule": text} for text in recurrences)]
