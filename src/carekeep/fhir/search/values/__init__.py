"""The types of search values, one file each, all with the same anatomy.

``index(path, element)`` gives the values under which an element is found again, ``parse…(text)`` reads one value of
a query to something that is sought, which has ``matches(path, element)`` (the standard's rule) and ``terms(path)``
(what to look for in the index). What matches shares a value with the index, always; the converse need not hold.
"""
