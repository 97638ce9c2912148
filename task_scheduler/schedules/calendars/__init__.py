"""Named calendars: which days and times rules leave out, or keep to.

Responsible for: holidays of countries, weekends, days and windows that users write, iCalendar
text, and finding a calendar by its name. A calendar is a frozen value that was given; files are
read above this layer. Knows no rule.
"""
