print("repconv")
